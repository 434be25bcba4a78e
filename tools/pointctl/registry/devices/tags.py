"""Tags: words that operators put on devices, to find them by."""

from collections.abc import Iterable
from typing import TypedDict

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from pointctl.registry import audit
from pointctl.registry.devices import devices
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, DeviceTag


class TagCount(TypedDict):
    """A tag, and how many devices have it, as it is printed."""

    tag: str
    devices: int


def change(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> list[str]:
    """Put tags on a device, take others off, and return the tags that it has then.

    It ignores tags to add that are there, and tags to remove that are not. Raises
    UnknownDevice, and PointctlError for an invalid tag.
    """
    adding, removing = set(devices.validate_tags(add)), set(remove)
    with database.exclusive() as session:
        device = devices.find(session, imei, product_key)
        there = set(_read_tags(session, device))
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


def count_tags(database: Database) -> list[TagCount]:
    """Return every tag, and how many devices have it."""
    counted = func.count(DeviceTag.device_id)
    query = select(DeviceTag.tag, counted).group_by(DeviceTag.tag)
    with database.snapshot() as session:
        found = session.execute(query.order_by(DeviceTag.tag))
        return [{"tag": tag, "devices": count} for tag, count in found]


def _read_tags(session: Session, device: Device) -> Iterable[str]:
    return session.scalars(
        select(DeviceTag.tag).where(DeviceTag.device_id == device.id)
    )
