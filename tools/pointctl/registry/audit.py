"""The audit: who did what, when, and to what. Entries are added, never changed."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from pointctl.registry import devices
from pointctl.registry.database import Database
from pointctl.registry.models import AuditEntry, Device

SERVER = "server"

_ADD = insert(AuditEntry)


def record(
    connection: Connection,
    device_id: int,
    what: str,
    who: str,
    note: str | None = None,
) -> None:
    """Add a device's entry, in the transaction that does what it tells of."""
    values = {"device_id": device_id, "what": what, "who": who[:64], "note": note}
    connection.execute(_ADD, {**values, "at": datetime.now(UTC)})


def record_other(
    connection: Connection, subject: str, what: str, who: str, note: str | None = None
) -> None:
    """The same for what is no device; `subject` is a kind and a name: "batch A7"."""
    values = {"subject": subject[:100], "what": what, "who": who[:64], "note": note}
    connection.execute(_ADD, {**values, "at": datetime.now(UTC)})


def history(
    database: Database, imei: str, product_key: str | None = None
) -> list[dict[str, Any]]:
    """What was done to a device, oldest first. Raises UnknownDevice."""
    with database.reading() as session:
        device: Device = devices.find(session, imei, product_key)
        entries = session.scalars(
            select(AuditEntry)
            .where(AuditEntry.device_id == device.id)
            .order_by(AuditEntry.id)
        )
        return [
            {
                "at": entry.at.isoformat(timespec="seconds"),
                "who": entry.who,
                "what": entry.what,
                "note": entry.note,
            }
            for entry in entries
        ]
