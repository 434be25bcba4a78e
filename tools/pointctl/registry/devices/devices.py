"""Devices: register, find and describe them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import sqlalchemy
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import Session, joinedload

from point import credentials
from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError
from pointctl.registry import audit
from pointctl.registry.devices import import_rows, import_steps, products
from pointctl.registry.devices.import_rows import ImportRow as ImportRow
from pointctl.registry.devices.staging import BadRow as BadRow
from pointctl.registry.devices.staging import ImportOutcome, RowRange
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, Policy, Product, format_time

_LONGEST_TAG = 32
_Value = TypeVar("_Value")

# The two queries that every request of every board runs. They are built once, and read
# columns instead of objects, to be fast.
_DEVICES = select(Device.id, Device.imei, Device.product_key).where(
    Device.imei.in_(bindparam("imeis", expanding=True)), import_steps.is_visible(Device)
)
_PRODUCTS = select(
    *(column for column in Product.__table__.c if column.name != "created_at")
).where(Product.product_key.in_(bindparam("keys", expanding=True)))


@dataclass(frozen=True)
class BoardRecord:
    """What the registry knows of a board: its product's columns, and its device."""

    product: sqlalchemy.Row[*tuple[Any, ...]]
    device_id: int | None  # None: not registered


class DeviceSummary(TypedDict):
    """A device as it is printed, without its secret."""

    imei: str
    product_key: str
    device_name: str
    state: str
    batch: str | None
    created_at: str | None
    created_by: str | None
    issued_at: str | None
    confirmed_at: str | None
    tags: list[str]


class UnknownDevice(PointctlError):
    """No device has this IMEI and product."""


def validate_tags(tags: Iterable[str]) -> list[str]:
    """Return the tags, sorted and each once. Raises PointctlError for an invalid one.

    A tag follows the rules of a device name.
    """
    found = sorted(set(tags))
    try:
        for tag in found:
            credentials.word("the tag", tag, _LONGEST_TAG)
    except PointError as error:
        raise PointctlError(error.detail) from error
    return found


def validate_row(
    line: int, imei: str, device_name: str | None, tags: Iterable[str] = ()
) -> ImportRow | BadRow:
    """Check a row by the rules that boards apply to the IMEI and the device name."""
    try:
        imeis.check(imei)
        if device_name is not None:
            credentials.word("the device name", device_name)
        return ImportRow(line, imei, device_name, tuple(validate_tags(tags)))
    except (PointError, PointctlError) as error:
        return BadRow(line, getattr(error, "detail", str(error)))


def register(
    database: Database,
    product_key: str,
    rows: Iterable[ImportRow | BadRow],
    *,
    batch: str | None = None,
    tags: Iterable[str] = (),
    skip_bad: bool = False,
    dry_run: bool = False,
    who: str = "pointctl",
) -> ImportOutcome:
    """Register devices, all or none; registered ones do not change.

    New devices get `batch` and `tags`. If any row is bad, nothing is registered, unless
    `skip_bad`. With `dry_run` nothing is registered either, and `added` is the number
    that would be. Raises PointctlError for an unknown product or batch.
    """
    checked_tags = validate_tags(tags)
    with database.snapshot() as session:
        products.check_exists(session, product_key)
        batch_id = None
        if batch is not None:
            batch_id = products.find_batch(session, product_key, batch).id
    common = import_rows.CommonValues(product_key, who, batch_id, checked_tags)
    with database.staging() as connection:
        staged, result = import_rows.stage(connection, product_key, rows)
        if result.bad_count and not skip_bad:
            result.added = 0
        elif result.added and not dry_run:
            note = f"{result.added}, batch {batch}" if batch else str(result.added)

            def add(part: RowRange) -> None:
                import_rows.add(connection, staged, part, common)

            def end() -> None:
                subject = f"product {product_key}"
                audit.record_other(connection, subject, "devices registered", who, note)

            import_steps.add_all(database, connection, staged, Device, add, end)
    return result


def look_up(
    connection: Connection, imei: str, product_key: str | None
) -> BoardRecord | None:
    """Find what the registry knows of one board, as look_up_all() does."""
    return look_up_all(connection, [(imei, product_key)])[0]


def look_up_all(
    connection: Connection, boards: Sequence[tuple[str, str | None]]
) -> list[BoardRecord | None]:
    """Find what the registry knows of boards, by their IMEIs and product keys.

    Without a product key, the IMEI must be registered under exactly one open product.
    The result is None for a board whose product is unknown. It always takes two reads.
    """
    imeis_given = pad_values([imei for imei, _ in boards])
    by_imei: dict[str, dict[str, int]] = {}
    for row in connection.execute(_DEVICES, {"imeis": imeis_given}):
        by_imei.setdefault(row.imei, {})[row.product_key] = row.id
    keys = {key for _, key in boards if key is not None}
    keys.update(*(by_imei.get(imei, {}) for imei, key in boards if key is None))
    rows = connection.execute(_PRODUCTS, {"keys": pad_values(sorted(keys) or [""])})
    by_key = {row.product_key: row for row in rows}
    return [_board(by_key, by_imei.get(imei, {}), key) for imei, key in boards]


def _board(
    by_key: dict[str, sqlalchemy.Row[*tuple[Any, ...]]],
    ids: dict[str, int],
    product_key: str | None,
) -> BoardRecord | None:
    if product_key is None:
        keys = [key for key in ids if by_key[key].policy is Policy.OPEN]
        product_key = keys[0] if len(keys) == 1 else None
    product = by_key.get(product_key or "")
    return BoardRecord(product, ids.get(product.product_key)) if product else None


def pad_values(values: list[_Value]) -> list[_Value]:
    """Repeat the last value until the length is a power of two.

    So there are few different queries, and databases keep them prepared.
    """
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))


def find(session: Session, imei: str, product_key: str | None = None) -> Device:
    """Return the device with this IMEI, with its product and batch loaded.

    Without a product key, the IMEI must be registered under one product only. Raises
    UnknownDevice, whose text gives the reason.
    """
    query = select(Device).where(Device.imei == imei, import_steps.is_visible(Device))
    if product_key is not None:
        query = query.where(Device.product_key == product_key)
    found = session.scalars(
        query.options(joinedload(Device.product), joinedload(Device.batch))
    ).all()
    if not found:
        where = f" under product {product_key}" if product_key else ""
        raise UnknownDevice(f"the IMEI is not registered{where}")
    if len(found) > 1:
        raise UnknownDevice(
            "the IMEI is registered under several products: name the product"
        )
    return found[0]


def summarize(device: Device, tags: list[str]) -> DeviceSummary:
    """Describe a device, whose batch is loaded, without its secret."""
    return {
        "imei": device.imei,
        "product_key": device.product_key,
        "device_name": device.device_name,
        "state": device.state.value,
        "batch": device.batch.name if device.batch else None,
        "created_at": format_time(device.created_at),
        "created_by": device.created_by,
        "issued_at": format_time(device.issued_at),
        "confirmed_at": format_time(device.confirmed_at),
        "tags": tags,
    }
