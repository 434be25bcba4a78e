"""Devices: registering them, finding them, listing them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session, joinedload

from point import credentials
from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError
from pointctl.registry import products
from pointctl.registry.database import Database
from pointctl.registry.models import Device, State

_CHUNK = 500  # rows a query; some builds of SQLite take no more than 999 values

# Built once: every request of every board runs it.
_BY_IMEI = (
    select(Device)
    .where(Device.imei == bindparam("imei"))
    .options(joinedload(Device.product), joinedload(Device.credential))
)


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
            _register_chunk(session, product_key, good, result)
        if result.bad and not skip_bad:
            session.rollback()
            result.added = 0
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
    session: Session, product_key: str, rows: list[Row], result: Registered
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
                }
            )
    if new:
        session.execute(insert(Device), new)
    result.added += len(new)


def find(session: Session, imei: str, product_key: str | None = None) -> Device:
    """The device with this IMEI, its product and credential loaded.

    Without a product key the IMEI must be registered under one product only. Raises
    UnknownDevice; its text says which of the reasons it was and is for operators only.
    """
    found = session.scalars(_BY_IMEI, {"imei": imei}).all()
    if not found:
        raise UnknownDevice("the IMEI is not registered")
    if product_key is not None:
        found = [device for device in found if device.product_key == product_key]
        if not found:
            raise UnknownDevice("the IMEI is registered under another product")
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
    if product_key is not None:
        query = query.where(Device.product_key == product_key)
    if state is not None:
        query = query.where(Device.state == state)
    with database.reading() as session:
        return session.scalars(query).all()


def summary(device: Device) -> dict[str, Any]:
    """A device for people and programs, without its secret."""
    issued = device.issued_at
    return {
        "imei": device.imei,
        "product_key": device.product_key,
        "device_name": device.device_name,
        "state": device.state.value,
        "created_at": device.created_at.isoformat(timespec="seconds"),
        "issued_at": issued and issued.isoformat(timespec="seconds"),
    }
