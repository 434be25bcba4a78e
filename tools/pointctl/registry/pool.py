"""Pools: imported credentials of a product, each handed out to one device.

An entry is taken in the transaction in which the device claims, and its secrets go with
it. A device whose name is an entry's gets that one; any other gets the oldest that is
left, and its name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from point import credentials
from point.errors import PointError
from pointctl.errors import Refused
from pointctl.registry import audit, encryption, products, vault
from pointctl.registry.database import Database
from pointctl.registry.devices import BadRow
from pointctl.registry.models import Device, PoolAlarm, Pooled, Product, Source
from pointctl.registry.sources import NothingLeft, Taken
from pointctl.registry.vault import PRODUCT, Vault

_log = structlog.get_logger()

_CHUNK = 500

_IS_LEFT = and_(
    Pooled.product_key == bindparam("product_key"), Pooled.device_id.is_(None)
)
_ENTRY = select(
    Pooled.id,
    Pooled.device_name,
    Pooled.encrypted_secret,
    Pooled.encrypted_product_secret,
).where(_IS_LEFT)
_BY_NAME = _ENTRY.where(Pooled.device_name == bindparam("name")).with_for_update()
_OLDEST = (
    _ENTRY.where(
        ~exists().where(
            Device.product_key == Pooled.product_key,
            Device.device_name == Pooled.device_name,
        )
    )
    .order_by(Pooled.id)
    .limit(1)
    .with_for_update(of=Pooled, skip_locked=True)  # two at once take two entries
)
_TAKE = (
    update(Pooled)
    .where(Pooled.id == bindparam("id_"))
    .values(
        device_id=bindparam("taker"),
        taken_at=bindparam("now"),
        encrypted_secret=None,
        encrypted_product_secret=None,
    )
)


@dataclass(frozen=True)
class Entry:
    """A credential to be imported."""

    line: int
    device_name: str
    device_secret: str = field(repr=False)
    product_secret: str | None = field(default=None, repr=False)


@dataclass
class Imported:
    """What became of the entries; `left` is how many the pool has to give then."""

    added: int = 0
    unchanged: int = 0
    bad: list[BadRow] = field(default_factory=list)
    left: int = 0


class Pool:
    """The source of products whose credentials were imported."""

    def take(
        self, connection: Connection, keys: Vault, device: Row[Any], now: datetime
    ) -> Taken:
        """The entry of the device's name, or the oldest. Raises NothingLeft."""
        names = {"product_key": device.product_key, "name": device.device_name}
        entry = connection.execute(_BY_NAME, names).one_or_none()
        entry = entry or connection.execute(_OLDEST, names).one_or_none()
        if entry is None:
            raise NothingLeft(f"the pool of {device.product_key} is empty")
        values = {"id_": entry.id, "taker": device.id, "now": now}
        connection.execute(_TAKE, values)
        bound = device.product_key, entry.device_name
        product_secret = entry.encrypted_product_secret
        return Taken(
            keys.decrypt(entry.encrypted_secret, vault.of_pooled(*bound)),
            entry.device_name,
            product_secret
            and keys.decrypt(product_secret, vault.of_pooled(*bound, PRODUCT)),
        )


def checked_entry(
    line: int, device_name: str, device_secret: str, product_secret: str | None
) -> Entry | BadRow:
    """An entry by the rules that boards keep; the reason quotes no secret."""
    try:
        credentials.word("the device name", device_name)
        credentials.text("the device secret", device_secret)
        if product_secret is not None:
            credentials.text("the product secret", product_secret)
    except PointError as error:
        return BadRow(line, error.detail)
    return Entry(line, device_name, device_secret, product_secret)


def fill(
    database: Database,
    product_key: str,
    entries: Iterable[Entry | BadRow],
    who: str,
    *,
    dry_run: bool = False,
) -> Imported:
    """Add entries in one transaction; those that are there stay as they are.

    If any is bad, none is added. Raises PointctlError where there is no such product,
    Refused where its credentials are made here.
    """
    result = Imported()
    entries = iter(entries)
    seen: dict[str, int] = {}
    with database.writing() as session:
        products.check_exists(session, product_key)
        product = session.get_one(Product, product_key)
        if product.source is not Source.POOL:
            raise Refused(f"the credentials of {product_key} come from a mint, no pool")
        while chunk := list(islice(entries, _CHUNK)):
            _fill_chunk(session, database.vault, product_key, chunk, seen, result)
        result.left = level(session, product_key)
        if result.bad or dry_run:
            session.rollback()
        elif result.added:
            product.pool_alarm = None
            subject, note = f"product {product_key}", str(result.added)
            audit.record_other(session.connection(), subject, "pool filled", who, note)
    return result


def _fill_chunk(
    session: Session,
    keys: Vault,
    product_key: str,
    chunk: list[Entry | BadRow],
    seen: dict[str, int],
    result: Imported,
) -> None:
    names = [entry.device_name for entry in chunk if isinstance(entry, Entry)]
    there = select(Pooled.device_name).where(Pooled.product_key == product_key)
    known = set(session.scalars(there.where(Pooled.device_name.in_(names))))
    key_id = encryption.active_key(session.connection())
    now = datetime.now(UTC)
    new = []
    for entry in chunk:
        if isinstance(entry, BadRow):
            result.bad.append(entry)
        elif (first := seen.setdefault(entry.device_name, entry.line)) != entry.line:
            why = f"the same device name as in line {first}"
            result.bad.append(BadRow(entry.line, why))
        elif entry.device_name in known:
            result.unchanged += 1
        else:
            new.append(_row(keys, key_id, product_key, entry, now))
    if new:
        session.execute(insert(Pooled), new)
    result.added += len(new)


def _row(
    keys: Vault, key_id: str, product_key: str, entry: Entry, now: datetime
) -> dict[str, Any]:
    bound = product_key, entry.device_name
    secret = entry.product_secret
    return {
        "product_key": product_key,
        "device_name": entry.device_name,
        "encrypted_secret": keys.encrypt(
            entry.device_secret, key_id, vault.of_pooled(*bound)
        ),
        "encrypted_product_secret": secret
        and keys.encrypt(secret, key_id, vault.of_pooled(*bound, PRODUCT)),
        "added_at": now,
    }


def level(session: Session, product_key: str) -> int:
    """How many entries are left."""
    query = select(func.count(Pooled.id)).where(_IS_LEFT)
    return session.scalar(query, {"product_key": product_key}) or 0


def watch(connection: Connection, board: Row[Any]) -> None:
    """After a credential was taken: raise the alarm when few are left, once."""
    if board.pool_alarm is not None or board.pool_warn_below < 1:
        return
    names = {"product_key": board.product_key}
    beyond = select(Pooled.id).where(_IS_LEFT).order_by(Pooled.id)
    beyond = beyond.offset(board.pool_warn_below - 1).limit(1)
    if connection.execute(beyond, names).scalar() is None:
        raise_alarm(connection, board.product_key, PoolAlarm.LOW)


def raise_alarm(connection: Connection, product_key: str, alarm: PoolAlarm) -> None:
    """Tell the audit and the log what has become of a pool, unless they know."""
    unknown: ColumnElement[bool] = Product.pool_alarm.is_(None)
    if alarm is PoolAlarm.EMPTY:
        unknown = or_(unknown, Product.pool_alarm == PoolAlarm.LOW)
    change = update(Product).where(Product.product_key == product_key, unknown)
    change = change.values(pool_alarm=alarm)
    if connection.execute(change).rowcount:
        what = f"pool {alarm.value}"
        audit.record_other(connection, f"product {product_key}", what, audit.SERVER)
        _log.warning(what, product_key=product_key)
