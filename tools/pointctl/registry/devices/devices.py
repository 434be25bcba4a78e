"""Devices: registering them, finding them, showing them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import Session, joinedload

from point import credentials
from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError
from pointctl.registry import audit
from pointctl.registry.devices import import_rows, import_steps, products
from pointctl.registry.devices.import_rows import Row as Row
from pointctl.registry.devices.staging import BadRow as BadRow
from pointctl.registry.devices.staging import Imported, Part
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, Policy, Product, moment

_LONGEST_TAG = 32

# What boards' requests need of the registry, in two reads. Built once, and columns
# rather than objects: every request of every board runs them.
_DEVICES = select(Device.id, Device.imei, Device.product_key).where(
    Device.imei.in_(bindparam("imeis", expanding=True)), import_steps.is_there(Device)
)
_PRODUCTS = select(
    *(column for column in Product.__table__.c if column.name != "created_at")
).where(Product.product_key.in_(bindparam("keys", expanding=True)))


@dataclass(frozen=True)
class Board:
    """What a board's request is judged by: its product's columns, and its device."""

    product: sqlalchemy.Row[*tuple[Any, ...]]
    device_id: int | None  # None: not registered


class UnknownDevice(PointctlError):
    """No device answers to this IMEI and product."""


def checked_tags(tags: Iterable[str]) -> list[str]:
    """The tags, each a word like a device name, and once. Raises PointctlError."""
    found = sorted(set(tags))
    try:
        for tag in found:
            credentials.word("the tag", tag, _LONGEST_TAG)
    except PointError as error:
        raise PointctlError(error.detail) from error
    return found


def checked_row(
    line: int, imei: str, device_name: str | None, tags: Iterable[str] = ()
) -> Row | BadRow:
    """A row by the rules that boards keep: a right IMEI, a name fit for MQTT topics."""
    try:
        imeis.check(imei)
        if device_name is not None:
            credentials.word("the device name", device_name)
        return Row(line, imei, device_name, tuple(checked_tags(tags)))
    except (PointError, PointctlError) as error:
        return BadRow(line, getattr(error, "detail", str(error)))


def register(
    database: Database,
    product_key: str,
    rows: Iterable[Row | BadRow],
    *,
    batch: str | None = None,
    tags: Iterable[str] = (),
    skip_bad: bool = False,
    dry_run: bool = False,
    who: str = "pointctl",
) -> Imported:
    """Register devices, all or none; those that are registered stay as they are.

    New ones are put into `batch` and given `tags`. If any row is bad, nothing is
    registered unless `skip_bad`; what `added` says then, or with `dry_run`, is what
    would have been. Raises PointctlError where there is no such product or batch.
    """
    tagged = checked_tags(tags)
    with database.snapshot() as session:
        products.check_exists(session, product_key)
        batch_id = None
        if batch is not None:
            batch_id = products.find_batch(session, product_key, batch).id
    with database.staging() as connection:
        staged, result = import_rows.stage(connection, product_key, rows)
        if result.bad_count and not skip_bad:
            result.added = 0
        elif result.added and not dry_run:
            note = f"{result.added}, batch {batch}" if batch else str(result.added)

            def add(part: Part) -> None:
                names = product_key, who, batch_id, tagged
                import_rows.add(connection, staged, part, *names)

            def end() -> None:
                subject = f"product {product_key}"
                audit.record_other(connection, subject, "devices registered", who, note)

            import_steps.add_all(database, connection, staged, Device, add, end)
    return result


def look_up(connection: Connection, imei: str, product_key: str | None) -> Board | None:
    """What one board's request is judged by, as look_up_all()."""
    return look_up_all(connection, [(imei, product_key)])[0]


def look_up_all(
    connection: Connection, boards: Sequence[tuple[str, str | None]]
) -> list[Board | None]:
    """What the requests of boards are judged by, from their IMEIs and product keys.

    Without a product key the IMEI must be registered under one open product. None if
    there is nothing. Whatever there is, it is two reads.
    """
    imeis_given = padded([imei for imei, _ in boards])
    by_imei: dict[str, dict[str, int]] = {}
    for row in connection.execute(_DEVICES, {"imeis": imeis_given}):
        by_imei.setdefault(row.imei, {})[row.product_key] = row.id
    keys = {key for _, key in boards if key is not None}
    keys.update(*(by_imei.get(imei, {}) for imei, key in boards if key is None))
    rows = connection.execute(_PRODUCTS, {"keys": padded(sorted(keys) or [""])})
    by_key = {row.product_key: row for row in rows}
    return [_board(by_key, by_imei.get(imei, {}), key) for imei, key in boards]


def _board(
    by_key: dict[str, sqlalchemy.Row[*tuple[Any, ...]]],
    ids: dict[str, int],
    product_key: str | None,
) -> Board | None:
    if product_key is None:
        keys = [key for key in ids if by_key[key].policy is Policy.OPEN]
        product_key = keys[0] if len(keys) == 1 else None
    product = by_key.get(product_key or "")
    return Board(product, ids.get(product.product_key)) if product else None


def padded(values: list[Any]) -> list[Any]:
    """The last value repeated, up to a power of two: databases prepare few queries."""
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))


def find(session: Session, imei: str, product_key: str | None = None) -> Device:
    """The device with this IMEI; its product and batch are loaded.

    Without a product key the IMEI must be registered under one product only. Raises
    UnknownDevice, whose text says which of the reasons it was.
    """
    query = select(Device).where(Device.imei == imei, import_steps.is_there(Device))
    if product_key is not None:
        query = query.where(Device.product_key == product_key)
    found = session.scalars(
        query.options(joinedload(Device.product), joinedload(Device.batch))
    ).all()
    if not found:
        where = f" under product {product_key}" if product_key else ""
        raise UnknownDevice(f"the IMEI is not registered{where}")
    if len(found) > 1:
        raise UnknownDevice("the IMEI is registered under several products: name one")
    return found[0]


def summary(device: Device) -> dict[str, Any]:
    """A device for people and programs, without its secret; its batch is loaded."""
    return {
        "imei": device.imei,
        "product_key": device.product_key,
        "device_name": device.device_name,
        "state": device.state.value,
        "batch": device.batch.name if device.batch else None,
        "created_at": moment(device.created_at),
        "created_by": device.created_by,
        "issued_at": moment(device.issued_at),
        "confirmed_at": moment(device.confirmed_at),
    }
