"""The audit: who did what to a device, and when. Entries are added, never changed."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from pointctl.registry import devices
from pointctl.registry.database import Database
from pointctl.registry.models import AuditEntry, Device

SERVER = "server"

_ADD = insert(AuditEntry)


def record(connection: Connection, device_id: int, what: str, who: str) -> None:
    """Add an entry, in the transaction that does what it tells of."""
    values = {"device_id": device_id, "what": what, "who": who[:64]}
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
            }
            for entry in entries
        ]
