"""Search for devices, and show one in full.

A page continues along an index from the end of the last page, so it costs the same in a
registry of a million devices as in one of ten. The results are not counted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from pointctl.errors import PointctlError
from pointctl.registry import audit
from pointctl.registry.audit import HistoryRow
from pointctl.registry.devices import devices, import_steps
from pointctl.registry.devices.devices import DeviceSummary
from pointctl.registry.storage import etags
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import (
    Batch,
    Credential,
    Device,
    DeviceTag,
    State,
    format_time,
)

_HISTORY = 200  # entries of the audit that show() returns

_NUMBER = re.compile("[0-9]{1,9}")  # an id; a longer one overflows in databases


@dataclass(frozen=True)
class DeviceFilters:
    """The conditions of a search; None means no condition.

    Raises PointctlError for a text with characters that are not printable.
    """

    text: str | None = None  # the IMEI's beginning; the name's, if not all digits
    product_key: str | None = None
    state: State | None = None
    batch: str | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        texts = (self.text, self.product_key, self.batch, self.tag)
        if not all(text.isprintable() for text in texts if text):
            raise PointctlError(
                "the search text has characters that are not printable; remove them"
            )


@dataclass(frozen=True)
class DevicePage:
    """Some devices, and the `after` of the next page; None on the last page."""

    rows: list[DeviceSummary]
    next: str | None


class CredentialSummary(TypedDict):
    """A credential that a device has or had, as it is printed."""

    standing: str
    source: str
    created_at: str | None
    retired_at: str | None


class DeviceDetails(DeviceSummary):
    """All that show() returns of one device, as it is printed."""

    etag: str
    policy: str
    source: str
    enrolled_at: str | None
    announced_at: str | None
    reopened_at: str | None
    credentials: list[CredentialSummary]
    history: list[HistoryRow]


def search(
    database: Database,
    filters: DeviceFilters,
    *,
    limit: int,
    after: str | None = None,
    newest_first: bool = False,
) -> DevicePage:
    """Find devices, in the order of registration, or with `text` sorted by that.

    Raises PointctlError for an `after` that is not from a page.
    """
    order = _Order(filters, newest_first)
    with database.snapshot() as session:
        query = select_devices(session, filters).order_by(*order.by())
        if after is not None:
            query = query.where(order.beyond(after))
        query = query.options(joinedload(Device.batch)).limit(limit + 1)
        found = session.scalars(query).all()
        rows = summarize(session, found[:limit])
    return DevicePage(
        rows, order.place(found[limit - 1]) if len(found) > limit else None
    )


def select_devices(session: Session, filters: DeviceFilters) -> Select[Device]:
    """Return the query for the devices that match, in no order."""
    query = select(Device).where(import_steps.is_visible(Device))
    if filters.text:
        begins = _choose_text_column(filters.text)
        query = query.where(begins >= filters.text, begins < _next_prefix(filters.text))
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
    # For one batch, databases walk along its index; for several they have to sort.
    return Device.batch_id == ids[0] if len(ids) == 1 else Device.batch_id.in_(ids)


def summarize(session: Session, found: Iterable[Device]) -> list[DeviceSummary]:
    """Describe devices, with their tags. Their batches are loaded."""
    by_id = {device.id: devices.summarize(device, []) for device in found}
    query = select(DeviceTag.device_id, DeviceTag.tag).order_by(DeviceTag.tag)
    for device_id, tag in session.execute(query.where(DeviceTag.device_id.in_(by_id))):
        by_id[device_id]["tags"].append(tag)
    return list(by_id.values())


def show(
    database: Database, imei: str, product_key: str | None = None
) -> DeviceDetails:
    """Return one device with its credentials and its history, newest first.

    With the `etag`, a change can be made conditional on this version of the device.
    Raises UnknownDevice.
    """
    with database.snapshot() as session:
        device = devices.find(session, imei, product_key)
        (summary,) = summarize(session, [device])
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
            "enrolled_at": format_time(device.enrolled_at),
            "announced_at": format_time(device.announced_at),
            "reopened_at": format_time(device.reopened_at),
            "credentials": [_credential(each) for each in credentials],
            "history": audit.list_device_entries(session, device.id, limit=_HISTORY),
        }


def read_history(
    database: Database, imei: str, product_key: str | None = None
) -> list[HistoryRow]:
    """Return what was done to a device, oldest first. Raises UnknownDevice."""
    with database.snapshot() as session:
        device = devices.find(session, imei, product_key)
        return audit.list_device_entries(session, device.id)[::-1]


def _credential(credential: Credential) -> CredentialSummary:
    standing = credential.standing
    return {
        "standing": standing.value if standing else "retired",
        "source": credential.source.value,
        "created_at": format_time(credential.created_at),
        "retired_at": format_time(credential.retired_at),
    }


class _Order:
    """The order of a search: that of the index that it uses."""

    def __init__(self, filters: DeviceFilters, newest_first: bool) -> None:
        self._names = ["id"]
        self._columns: list[ColumnElement[Any]] = [Device.id.expression]
        if filters.text:
            column = _choose_text_column(filters.text)
            second = Device.product_key if column is Device.imei else Device.id
            self._names = [column.key, second.key]
            self._columns = [column.expression, second.expression]
        elif filters.tag is not None:
            self._columns = [DeviceTag.device_id.expression]
        # A search for a text is always sorted by the text.
        self._backwards = newest_first and not filters.text

    def by(self) -> list[ColumnElement[Any]]:
        """Return the columns to sort by."""
        if self._backwards:
            return [column.desc() for column in self._columns]
        return self._columns

    def place(self, device: Device) -> str:
        """Return the place of a device in this order, for beyond()."""
        return "/".join(str(getattr(device, name)) for name in self._names)

    def beyond(self, place: str) -> ColumnElement[bool]:
        """Return the condition to come after a place. Raises PointctlError."""
        parts: list[str | int] = [*place.split("/")]
        is_place = len(parts) == len(self._names) and place.isprintable()
        if is_place and self._names[-1] == "id":
            last = str(parts[-1])
            is_place = _NUMBER.fullmatch(last) is not None
            parts[-1] = int(last) if is_place else last
        if not is_place:
            raise PointctlError(
                "there is no such page: `after` must be the `next` of a page of the "
                "same search"
            )
        here = tuple_(*self._columns)
        return here < tuple(parts) if self._backwards else here > tuple(parts)


def _choose_text_column(text: str) -> InstrumentedAttribute[str]:
    """Return the column to search for a text: digits are searched in the IMEI."""
    digits = text.isascii() and text.isdecimal()
    return Device.imei if digits else Device.device_name


def _next_prefix(text: str) -> str:
    """Return the first text, in the order of bytes, after all that begin so."""
    return text[:-1] + chr(ord(text[-1]) + 1)
