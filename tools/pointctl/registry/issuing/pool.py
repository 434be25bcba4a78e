"""Pools: imported credentials of a product, each for one device.

A claim takes an entry in its own transaction, and the entry's secrets move to the
device. A device that has the name of an entry gets that one; any other device gets the
oldest entry that is left, and its name.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import structlog
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    and_,
    bindparam,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)

from pointctl.errors import Refused
from pointctl.registry import audit
from pointctl.registry.devices import import_steps, products
from pointctl.registry.devices.staging import (
    BadRow,
    ImportOutcome,
    RowRange,
    StagingTable,
)
from pointctl.registry.issuing.sources import DeviceNames, NewCredential, NothingLeft
from pointctl.registry.storage import encryption, vault
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import (
    Device,
    PoolAlarm,
    Pooled,
    Product,
    Source,
    bytewise,
)
from pointctl.registry.storage.vault import PRODUCT, Vault

_log = structlog.get_logger()

_SECRETS = ("encrypted_secret", "encrypted_product_secret")

_IS_LEFT = and_(
    Pooled.product_key == bindparam("product_key"),
    Pooled.device_id.is_(None),
    import_steps.is_visible(Pooled),
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
class PoolEntry:
    """A credential to be imported."""

    line: int
    device_name: str
    device_secret: str = field(repr=False)
    product_secret: str | None = field(default=None, repr=False)


class PoolState(Protocol):
    """The columns of a product that say how its pool is watched."""

    product_key: str
    pool_alarm: PoolAlarm | None
    pool_warn_below: int


class Pool:
    """The source of products whose credentials were imported."""

    def take(
        self, connection: Connection, keys: Vault, device: DeviceNames, now: datetime
    ) -> NewCredential:
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
        return NewCredential(
            keys.decrypt(entry.encrypted_secret, vault.bind_pooled(*bound)),
            entry.device_name,
            product_secret
            and keys.decrypt(product_secret, vault.bind_pooled(*bound, PRODUCT)),
        )


def fill(
    database: Database,
    product_key: str,
    entries: Iterable[PoolEntry | BadRow],
    who: str,
    *,
    dry_run: bool = False,
) -> ImportOutcome:
    """Add entries: all, or none if one is bad. Known ones stay as they are.

    With `dry_run` nothing is added, and `added` says how many would have been. Raises
    PointctlError where there is no such product, Refused where its credentials are made
    here.
    """
    with database.snapshot() as session:
        products.check_exists(session, product_key)
        if session.get_one(Product, product_key).source is not Source.POOL:
            raise Refused(
                f"the credentials of {product_key} are made here; see pointctl "
                "products set --source pool"
            )
        key_id = encryption.active_key(session.connection())
    staged = StagingTable(
        "import_pool",
        Column("device_name", bytewise(64)),
        *(Column(name, String(512)) for name in _SECRETS),
        by=("device_name",),
    )
    values = _values(database.vault, key_id, product_key, entries)
    with database.staging() as connection:
        staged.fill(connection, values)
        result = _check(connection, staged, product_key)
        if result.bad_count:
            result.added = 0
        elif result.added and not dry_run:

            def add(part: RowRange) -> None:
                _add(connection, staged, part, product_key)

            def end() -> None:
                _end_alarm(connection, product_key)
                subject, count = f"product {product_key}", str(result.added)
                audit.record_other(connection, subject, "pool filled", who, count)

            import_steps.add_all(database, connection, staged, Pooled, add, end)
    return result


def _values(
    keys: Vault, key_id: str, product_key: str, entries: Iterable[PoolEntry | BadRow]
) -> Iterator[dict[str, object]]:
    for entry in entries:
        if isinstance(entry, BadRow):
            values: dict[str, object] = dict.fromkeys(("device_name", *_SECRETS))
            yield {**values, "line": entry.line, "reason": entry.reason}
            continue
        bound = product_key, entry.device_name
        of_product = entry.product_secret
        yield {
            "line": entry.line,
            "reason": None,
            "device_name": entry.device_name,
            "encrypted_secret": keys.encrypt(
                entry.device_secret, key_id, vault.bind_pooled(*bound)
            ),
            "encrypted_product_secret": of_product
            and keys.encrypt(of_product, key_id, vault.bind_pooled(*bound, PRODUCT)),
        }


def _check(
    connection: Connection, staged: StagingTable, product_key: str
) -> ImportOutcome:
    with connection.begin():
        staged.reject_repeated(connection, "device_name", "device name")
        there = select(Pooled.device_name).where(
            Pooled.product_key == product_key,
            Pooled.device_name == staged.columns.device_name,
            import_steps.is_visible(Pooled),
        )
        known = update(staged.table).where(staged.is_good)
        connection.execute(known.values(known=there.scalar_subquery()))
        return staged.count_outcome(connection)


def _add(
    connection: Connection, staged: StagingTable, part: RowRange, product_key: str
) -> None:
    of = staged.columns
    values = {
        "product_key": literal(product_key),
        "device_name": of.device_name,
        **{name: of[name] for name in _SECRETS},
        "added_at": literal(datetime.now(UTC), Pooled.added_at.type),
        "import_id": literal(part.import_id, Integer),
    }
    new = select(*values.values()).where(staged.is_new_in(part)).order_by(of.number)
    connection.execute(insert(Pooled).from_select(list(values), new))


def _end_alarm(connection: Connection, product_key: str) -> None:
    filled = update(Product).where(Product.product_key == product_key)
    connection.execute(filled.values(pool_alarm=None))


def watch(connection: Connection, product: PoolState) -> None:
    """After a credential was taken: raise the alarm when few are left, once."""
    if product.pool_alarm is not None or product.pool_warn_below < 1:
        return
    names = {"product_key": product.product_key}
    beyond = select(Pooled.id).where(_IS_LEFT).order_by(Pooled.id)
    beyond = beyond.offset(product.pool_warn_below - 1).limit(1)
    if connection.execute(beyond, names).scalar() is None:
        raise_alarm(connection, product.product_key, PoolAlarm.LOW)


def raise_alarm(connection: Connection, product_key: str, alarm: PoolAlarm) -> None:
    """Write to the audit and the log that a pool is low or empty, once."""
    is_new: ColumnElement[bool] = Product.pool_alarm.is_(None)
    if alarm is PoolAlarm.EMPTY:
        is_new = or_(is_new, Product.pool_alarm == PoolAlarm.LOW)
    change = update(Product).where(Product.product_key == product_key, is_new)
    change = change.values(pool_alarm=alarm)
    if connection.execute(change).rowcount:
        what = f"pool {alarm.value}"
        audit.record_other(connection, f"product {product_key}", what, audit.SERVER)
        _log.warning(what, product_key=product_key)
