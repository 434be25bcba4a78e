"""The audit: who did what, when, and to what. Entries are added, never changed."""

from datetime import UTC, datetime
from typing import TypedDict

from sqlalchemy import Connection, insert, literal_column, select
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import AuditEntry, Device, format_time, table

SERVER = "server"
_LONGEST_NOTE = 200

ADD = insert(table(AuditEntry)).inline()  # nobody needs its id


class HistoryRow(TypedDict):
    """One entry about a known device, as it is printed."""

    at: str | None
    who: str
    what: str
    note: str | None


class AuditRow(HistoryRow):
    """One entry of the whole audit, as it is printed.

    `product_key` and `imei` are None where the entry is not about a device; then
    `subject` says what it is about.
    """

    id: int
    subject: str | None
    product_key: str | None
    imei: str | None


def check_reason(reason: str | None) -> str:
    """Return the reason for an action that needs one. Raises PointctlError."""
    if not reason or len(reason) > _LONGEST_NOTE or not reason.isprintable():
        raise PointctlError(
            f"give a reason of 1 to {_LONGEST_NOTE} printable characters"
        )
    return reason


def record(
    connection: Connection,
    device_id: int,
    what: str,
    who: str,
    note: str | None = None,
) -> None:
    """Add an entry about a device, in the transaction of the change itself."""
    connection.execute(ADD, entry_values(device_id, what, who, note))


def entry_values(
    device_id: int, what: str, who: str, note: str | None = None
) -> dict[str, object]:
    """Return the values that ADD needs for an entry about a device."""
    values = {"device_id": device_id, "what": what, "who": who[:64], "note": note}
    return {**values, "at": datetime.now(UTC)}


def record_once(connection: Connection, device_id: int, what: str, who: str) -> None:
    """Add an entry unless the device's last one is the same: boards repeat requests."""
    last = select(AuditEntry.what).where(AuditEntry.device_id == device_id)
    last = last.order_by(AuditEntry.id.desc()).limit(1)
    if connection.execute(last).scalar() != what:
        record(connection, device_id, what, who)


def record_other(
    connection: Connection, subject: str, what: str, who: str, note: str | None = None
) -> None:
    """Add an entry about something else; `subject` is kind and name: "batch A7"."""
    values = {"subject": subject[:100], "what": what, "who": who[:64], "note": note}
    connection.execute(ADD, {**values, "at": datetime.now(UTC)})


def list_entries(
    database: Database,
    *,
    who: str | None = None,
    what: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[AuditRow]:
    """Return up to `limit` entries, newest first, with ids below `before`."""
    query = (
        select(AuditEntry, Device.product_key, Device.imei)
        .join_from(AuditEntry, Device, isouter=True)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if who is not None:
        query = query.where(AuditEntry.who == who)
        if who != SERVER:  # the same condition as the index, which has people only
            query = query.where(AuditEntry.who != literal_column(f"'{SERVER}'"))
    if what is not None:
        query = query.where(AuditEntry.what == what)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    with database.snapshot() as session:
        return [
            {
                "id": entry.id,
                **_describe(entry),
                "subject": entry.subject,
                "product_key": product_key,
                "imei": imei,
            }
            for entry, product_key, imei in session.execute(query)
        ]


def list_device_entries(
    session: Session, device_id: int, limit: int | None = None
) -> list[HistoryRow]:
    """Return the last `limit` entries about a device, or all, newest first."""
    query = select(AuditEntry).where(AuditEntry.device_id == device_id)
    entries = session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit))
    return [_describe(entry) for entry in entries]


def _describe(entry: AuditEntry) -> HistoryRow:
    return {
        "at": format_time(entry.at),
        "who": entry.who,
        "what": entry.what,
        "note": entry.note,
    }
