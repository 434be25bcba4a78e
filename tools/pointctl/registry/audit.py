"""The audit: who did what, when, and to what. Entries are added, never changed."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, literal_column, select
from sqlalchemy.orm import Session

from pointctl.errors import PointctlError
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import AuditEntry, Device, moment, table

SERVER = "server"
_LONGEST_NOTE = 200

ADD = insert(table(AuditEntry)).inline()  # nobody needs its id


def checked_reason(reason: str | None) -> str:
    """Why somebody does what needs a reason. Raises PointctlError."""
    if not reason or len(reason) > _LONGEST_NOTE or not reason.isprintable():
        raise PointctlError(f"say why, in up to {_LONGEST_NOTE} printable characters")
    return reason


def record(
    connection: Connection,
    device_id: int,
    what: str,
    who: str,
    note: str | None = None,
) -> None:
    """Add a device's entry, in the transaction that does what it tells of."""
    connection.execute(ADD, entry(device_id, what, who, note))


def entry(
    device_id: int, what: str, who: str, note: str | None = None
) -> dict[str, Any]:
    """The values for ADD of a device's entry."""
    values = {"device_id": device_id, "what": what, "who": who[:64], "note": note}
    return {**values, "at": datetime.now(UTC)}


def record_once(connection: Connection, device_id: int, what: str, who: str) -> None:
    """The same, unless the device's last entry says so already: boards ask again."""
    last = select(AuditEntry.what).where(AuditEntry.device_id == device_id)
    last = last.order_by(AuditEntry.id.desc()).limit(1)
    if connection.execute(last).scalar() != what:
        record(connection, device_id, what, who)


def record_other(
    connection: Connection, subject: str, what: str, who: str, note: str | None = None
) -> None:
    """The same for what is no device; `subject` is a kind and a name: "batch A7"."""
    values = {"subject": subject[:100], "what": what, "who": who[:64], "note": note}
    connection.execute(ADD, {**values, "at": datetime.now(UTC)})


def listed(
    database: Database,
    *,
    who: str | None = None,
    what: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """`limit` entries, newest first; `before` is the id of the last one seen."""
    query = (
        select(AuditEntry, Device.product_key, Device.imei)
        .join_from(AuditEntry, Device, isouter=True)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    if who is not None:
        query = query.where(AuditEntry.who == who)
        if who != SERVER:  # said as in the index, which has people only
            query = query.where(AuditEntry.who != literal_column(f"'{SERVER}'"))
    if what is not None:
        query = query.where(AuditEntry.what == what)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    with database.snapshot() as session:
        return [
            {
                "id": entry.id,
                **_told(entry),
                "subject": entry.subject,
                "product_key": product_key,
                "imei": imei,
            }
            for entry, product_key, imei in session.execute(query)
        ]


def of_device(
    session: Session, device_id: int, limit: int | None = None
) -> list[dict[str, Any]]:
    """The last `limit` entries of a device, or all, newest first."""
    query = select(AuditEntry).where(AuditEntry.device_id == device_id)
    entries = session.scalars(query.order_by(AuditEntry.id.desc()).limit(limit))
    return [_told(entry) for entry in entries]


def _told(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": moment(entry.at),
        "who": entry.who,
        "what": entry.what,
        "note": entry.note,
    }
