"""Words that operators put on devices, to find them by."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from pointctl.registry import audit
from pointctl.registry.devices import devices
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, DeviceTag


def change(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> list[str]:
    """Put tags on a device, take others off, and return those that it has then.

    Those that it has or lacks already are passed over. Raises UnknownDevice, and
    PointctlError for what is no tag.
    """
    adding, removing = set(devices.checked_tags(add)), set(remove)
    with database.exclusive() as session:
        device = devices.find(session, imei, product_key)
        there = set(_of(session, device))
        new, gone = adding - there, there & removing - adding
        session.add_all(DeviceTag(device_id=device.id, tag=tag) for tag in new)
        session.execute(
            delete(DeviceTag).where(
                DeviceTag.device_id == device.id, DeviceTag.tag.in_(gone)
            )
        )
        changes = [f"+{tag}" for tag in sorted(new)] + [f"-{tag}" for tag in gone]
        if changes:
            note = " ".join(changes)[:200]
            audit.record(session.connection(), device.id, "tagged", who, note)
    return sorted((there | new) - gone)


def listed(database: Database) -> list[dict[str, Any]]:
    """Every tag, and how many devices have it."""
    counted = func.count(DeviceTag.device_id)
    query = select(DeviceTag.tag, counted).group_by(DeviceTag.tag)
    with database.snapshot() as session:
        found = session.execute(query.order_by(DeviceTag.tag))
        return [{"tag": tag, "devices": count} for tag, count in found]


def _of(session: Session, device: Device) -> Iterable[str]:
    return session.scalars(
        select(DeviceTag.tag).where(DeviceTag.device_id == device.id)
    )
