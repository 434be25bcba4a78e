"""Devices: registering them, finding them, showing them."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.orm import Session, joinedload

from point import credentials
from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError
from pointctl.registry import audit, products
from pointctl.registry.database import Database
from pointctl.registry.models import Device, Policy, Product, State, moment

_CHUNK = 500  # rows a query; some builds of SQLite take no more than 999 values

# What boards' requests need of the registry, in two reads. Built once, and columns
# rather than objects: every request of every board runs them.
_DEVICES = select(Device.id, Device.imei, Device.product_key).where(
    Device.imei.in_(bindparam("imeis", expanding=True))
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


@dataclass(frozen=True)
class Row:
    """A device to be registered. Without a name it is called by its IMEI."""

    line: int
    imei: str
    device_name: str | None


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be registered, and why."""

    line: int
    reason: str


@dataclass
class Registered:
    """What became of a batch of rows."""

    added: int = 0
    unchanged: int = 0
    bad: list[BadRow] = field(default_factory=list)


def checked_row(line: int, imei: str, device_name: str | None) -> Row | BadRow:
    """A row by the rules that boards keep: a right IMEI, a name fit for MQTT topics."""
    try:
        imeis.check(imei)
        if device_name is not None:
            credentials.word("the device name", device_name)
    except PointError as error:
        return BadRow(line, error.detail)
    return Row(line, imei, device_name)


def register(
    database: Database,
    product_key: str,
    rows: Iterable[Row | BadRow],
    *,
    skip_bad: bool = False,
    who: str = "pointctl",
) -> Registered:
    """Register devices in one transaction; those that are registered stay as they are.

    If any row is bad, nothing is registered unless `skip_bad`. Raises PointctlError
    where there is no such product.
    """
    result = Registered()
    rows = _first_of_each(rows)
    with database.writing() as session:
        products.check_exists(session, product_key)
        while chunk := list(islice(rows, _CHUNK)):
            result.bad += (row for row in chunk if isinstance(row, BadRow))
            good = [row for row in chunk if isinstance(row, Row)]
            _register_chunk(session, product_key, good, result, who)
        if result.bad and not skip_bad:
            session.rollback()
            result.added = 0
        elif result.added:
            audit.record_other(
                session.connection(),
                f"product {product_key}",
                "devices registered",
                who,
                str(result.added),
            )
    result.bad.sort(key=lambda row: row.line)
    return result


def _first_of_each(rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
    lines: dict[str, int] = {}
    for row in rows:
        if isinstance(row, Row):
            first = lines.setdefault(row.imei, row.line)
            if first != row.line:
                row = BadRow(row.line, f"the same IMEI as in line {first}")
        yield row


def _register_chunk(
    session: Session, product_key: str, rows: list[Row], result: Registered, who: str
) -> None:
    of_product = select(Device.imei, Device.device_name).where(
        Device.product_key == product_key
    )
    imeis_given = [row.imei for row in rows]
    names_given = [row.device_name or row.imei for row in rows]
    known = session.execute(of_product.where(Device.imei.in_(imeis_given)))
    names = dict(known.all())
    taken = session.execute(of_product.where(Device.device_name.in_(names_given)))
    owners = {name: imei for imei, name in taken}
    now = datetime.now(UTC)
    new = []
    for row, name in zip(rows, names_given, strict=True):
        if row.imei in names and row.device_name in (None, names[row.imei]):
            result.unchanged += 1
        elif row.imei in names:
            why = f"registered already, under the device name {names[row.imei]}"
            result.bad.append(BadRow(row.line, why))
        elif name in owners:
            why = f"the device name is taken by IMEI {owners[name]}"
            result.bad.append(BadRow(row.line, why))
        else:
            owners[name] = row.imei
            new.append(
                {
                    "product_key": product_key,
                    "imei": row.imei,
                    "device_name": name,
                    "state": State.REGISTERED,
                    "created_at": now,
                    "created_by": who,
                }
            )
    if new:
        session.execute(insert(Device), new)
    result.added += len(new)


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
    query = select(Device).where(Device.imei == imei)
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


def listed(
    database: Database,
    *,
    product_key: str | None = None,
    state: State | None = None,
    limit: int,
) -> Sequence[Device]:
    """The first `limit` devices in the order of registration."""
    query = select(Device).order_by(Device.id).limit(limit)
    query = query.options(joinedload(Device.batch))
    if product_key is not None:
        query = query.where(Device.product_key == product_key)
    if state is not None:
        query = query.where(Device.state == state)
    with database.reading() as session:
        return session.scalars(query).all()


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


def etag(summary: dict[str, Any]) -> str:
    """A short text that is another one as soon as anything in the summary is."""
    text = json.dumps(summary, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
