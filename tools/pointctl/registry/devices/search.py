"""Finding devices, and all that there is to know of one.

A page is a walk along an index from where the last one ended, so that it costs the same
in a registry of a million as in one of ten. Nobody counts what was found.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from pointctl.errors import PointctlError
from pointctl.registry import audit
from pointctl.registry.devices import devices, import_steps
from pointctl.registry.storage import etags
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import (
    Batch,
    Credential,
    Device,
    DeviceTag,
    State,
    moment,
)

_HISTORY = 200  # entries of the audit that one device is shown with

_NUMBER = re.compile("[0-9]{1,9}")  # an id: databases choke on longer ones


@dataclass(frozen=True)
class Filters:
    """What devices have to be; what is None is not asked for.

    Raises PointctlError for a text that nothing could be called.
    """

    text: str | None = None  # how the IMEI begins; or, if not all digits, the name
    product_key: str | None = None
    state: State | None = None
    batch: str | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        texts = (self.text, self.product_key, self.batch, self.tag)
        if not all(text.isprintable() for text in texts if text):
            raise PointctlError("that cannot be looked for: it is not printable")


@dataclass(frozen=True)
class Page:
    """Some rows, and what to give as `after` for those that follow; None at the end."""

    rows: list[dict[str, Any]]
    next: str | None


def search(
    database: Database,
    filters: Filters,
    *,
    limit: int,
    after: str | None = None,
    newest_first: bool = False,
) -> Page:
    """Devices in the order of registration, or with `text` in the order of that.

    Raises PointctlError for an `after` that no page has given.
    """
    order = _Order(filters, newest_first)
    with database.snapshot() as session:
        query = filtered(session, filters).order_by(*order.by())
        if after is not None:
            query = query.where(order.beyond(after))
        query = query.options(joinedload(Device.batch)).limit(limit + 1)
        found = session.scalars(query).all()
        rows = with_tags(session, found[:limit])
    return Page(rows, order.place(found[limit - 1]) if len(found) > limit else None)


def filtered(session: Session, filters: Filters) -> Select[Device]:
    """A query for the devices that are so, in no order."""
    query = select(Device).where(import_steps.is_there(Device))
    if filters.text:
        begins = _text_column(filters.text)
        query = query.where(begins >= filters.text, begins < _past(filters.text))
    if filters.product_key is not None:
        query = query.where(Device.product_key == filters.product_key)
    if filters.state is not None:
        query = query.where(Device.state == filters.state)
    if filters.batch is not None:
        query = query.where(_in_batch(session, filters.batch, filters.product_key))
    if filters.tag is not None:
        query = query.join(DeviceTag, DeviceTag.device_id == Device.id)
        query = query.where(DeviceTag.tag == filters.tag)
    return query


def _in_batch(
    session: Session, name: str, product_key: str | None
) -> ColumnElement[bool]:
    query = select(Batch.id).where(Batch.name == name)
    if product_key is not None:
        query = query.where(Batch.product_key == product_key)
    ids = session.scalars(query).all()
    # One alone is a walk along the index; several are found and then sorted.
    return Device.batch_id == ids[0] if len(ids) == 1 else Device.batch_id.in_(ids)


def with_tags(session: Session, found: Iterable[Device]) -> list[dict[str, Any]]:
    """The summaries of devices, with what they are tagged."""
    by_id = {device.id: {**devices.summary(device), "tags": []} for device in found}
    query = select(DeviceTag.device_id, DeviceTag.tag).order_by(DeviceTag.tag)
    for device_id, tag in session.execute(query.where(DeviceTag.device_id.in_(by_id))):
        by_id[device_id]["tags"].append(tag)
    return list(by_id.values())


def show(
    database: Database, imei: str, product_key: str | None = None
) -> dict[str, Any]:
    """One device: its summary and tags, its credentials, its audit, newest first.

    `etag` is what a change of it may be tied to. Raises UnknownDevice.
    """
    with database.snapshot() as session:
        device = devices.find(session, imei, product_key)
        (summary,) = with_tags(session, [device])
        credentials = session.scalars(
            select(Credential)
            .where(Credential.device_id == device.id)
            .order_by(Credential.id.desc())
        )
        return {
            **summary,
            "etag": etags.etag(summary),
            "policy": device.product.policy.value,
            "source": device.product.source.value,
            "enrolled_at": moment(device.enrolled_at),
            "announced_at": moment(device.announced_at),
            "reopened_at": moment(device.reopened_at),
            "credentials": [_credential(each) for each in credentials],
            "history": audit.of_device(session, device.id, limit=_HISTORY),
        }


def history(
    database: Database, imei: str, product_key: str | None = None
) -> list[dict[str, Any]]:
    """What was done to a device, oldest first. Raises UnknownDevice."""
    with database.snapshot() as session:
        device = devices.find(session, imei, product_key)
        return audit.of_device(session, device.id)[::-1]


def _credential(credential: Credential) -> dict[str, Any]:
    standing = credential.standing
    return {
        "standing": standing.value if standing else "retired",
        "source": credential.source.value,
        "created_at": moment(credential.created_at),
        "retired_at": moment(credential.retired_at),
    }


class _Order:
    """The order of a search: that of the index along which it walks."""

    def __init__(self, filters: Filters, newest_first: bool) -> None:
        self._names = ["id"]
        self._columns: list[ColumnElement[Any]] = [Device.id.expression]
        if filters.text:
            column = _text_column(filters.text)
            second = Device.product_key if column is Device.imei else Device.id
            self._names = [column.key, second.key]
            self._columns = [column.expression, second.expression]
        elif filters.tag is not None:
            self._columns = [DeviceTag.device_id.expression]
        # Where a text is looked for, its order is the order.
        self._backwards = newest_first and not filters.text

    def by(self) -> list[ColumnElement[Any]]:
        """What to sort by."""
        if self._backwards:
            return [column.desc() for column in self._columns]
        return self._columns

    def place(self, device: Device) -> str:
        """Where a device stands, for beyond()."""
        return "/".join(str(getattr(device, name)) for name in self._names)

    def beyond(self, place: str) -> ColumnElement[bool]:
        """What comes after a place. Raises PointctlError for what is none."""
        parts: list[Any] = place.split("/")
        if len(parts) != len(self._names) or not place.isprintable():
            raise PointctlError("there is no such page")
        if self._names[-1] == "id":
            if not _NUMBER.fullmatch(parts[-1]):
                raise PointctlError("there is no such page")
            parts[-1] = int(parts[-1])
        here = tuple_(*self._columns)
        return here < tuple(parts) if self._backwards else here > tuple(parts)


def _text_column(text: str) -> InstrumentedAttribute[str]:
    """Where a text is looked for: digits are an IMEI's."""
    digits = text.isascii() and text.isdecimal()
    return Device.imei if digits else Device.device_name


def _past(text: str) -> str:
    """The least text that does not begin with `text`, by bytes."""
    return text[:-1] + chr(ord(text[-1]) + 1)
