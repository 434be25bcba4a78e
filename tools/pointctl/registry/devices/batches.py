"""Batches: devices that are made together, how many may enrol, and until when.

A device is counted when it is first given a credential, and then for good: a repaired
board needs no second place. Beyond the quota or after the end of the batch no device of
it enrols; those that have stay as they are.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from point import credentials
from point.errors import PointError
from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import devices, products
from pointctl.registry.storage import etags
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Batch, Device, Product, State, moment

_IS_OPEN = (
    or_(Batch.quota.is_(None), Batch.enrolled < Batch.quota),
    or_(Batch.expires_at.is_(None), Batch.expires_at > bindparam("now")),
)
_COUNT_ONE_MORE = (
    update(Batch)
    .where(Batch.id == bindparam("id_"), *_IS_OPEN)
    .values(enrolled=Batch.enrolled + 1)
)
_OPEN = select(Batch.id).where(
    Batch.product_key == bindparam("product_key"),
    Batch.name == bindparam("name"),
    *_IS_OPEN,
)


class _Keep:
    """Stands for a value that stays what it is, where None would be another one."""


KEEP: Final = _Keep()


@dataclass(frozen=True)
class _Limits:
    quota: int | None
    expires_at: datetime | None

    def __post_init__(self) -> None:
        if self.quota is not None and not 0 <= self.quota < 2**31:
            raise PointctlError("a quota is a number of devices")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise PointctlError("a batch ends at a moment with a time zone")

    def __str__(self) -> str:
        quota = "none" if self.quota is None else self.quota
        return f"quota {quota}, ends {moment(self.expires_at) or 'never'}"


def add(
    database: Database,
    product_key: str,
    name: str,
    who: str,
    *,
    quota: int | None = None,
    expires_at: datetime | None = None,
) -> dict[str, Any]:
    """Add a batch to a product; without a quota or an end there is none.

    Raises PointctlError for what is no name or product, Refused for one that is there.
    """
    limits = _Limits(quota, expires_at)
    try:
        credentials.word("the batch's name", name)
    except PointError as error:
        raise PointctlError(error.detail) from error
    with database.exclusive() as session:
        products.check_exists(session, product_key)
        with suppress(products.UnknownBatch):
            products.find_batch(session, product_key, name)
            raise Refused(f"the batch {name} of {product_key} exists")
        batch = Batch(product_key=product_key, name=name, enrolled=0)
        batch.quota, batch.expires_at = limits.quota, limits.expires_at
        batch.created_at = datetime.now(UTC)
        session.add(batch)
        _audit(session, batch, "batch added", who, str(limits))
        return summary(batch)


def change(
    database: Database,
    product_key: str,
    name: str,
    who: str,
    *,
    quota: int | _Keep | None = KEEP,
    expires_at: datetime | _Keep | None = KEEP,
    etag: str | None = None,
) -> dict[str, Any]:
    """Give a batch another quota or end; None takes it away.

    Raises UnknownBatch, PointctlError, and with the `etag` of its summary
    versions.Changed if it has others by now. A quota below what has enrolled closes it.
    """
    with database.exclusive() as session:
        batch = products.find_batch(session, product_key, name)
        etags.check(etag, summary(batch), "batch")
        limits = _Limits(
            batch.quota if isinstance(quota, _Keep) else quota,
            batch.expires_at if isinstance(expires_at, _Keep) else expires_at,
        )
        batch.quota, batch.expires_at = limits.quota, limits.expires_at
        _audit(session, batch, "batch changed", who, str(limits))
        return summary(batch)


def open_to_unknown(
    database: Database, product_key: str, name: str | None, who: str
) -> None:
    """Register boards that nobody has, if they can sign, into this batch from now on.

    None ends it: only registered boards are served. Raises UnknownBatch, Refused for a
    product whose boards sign nothing.
    """
    with database.exclusive() as session:
        products.check_exists(session, product_key)
        product = session.get_one(Product, product_key)
        if name is not None:
            products.find_batch(session, product_key, name)
            products.check_signs(product)
        product.open_batch = name
        what = "enrolment opened" if name else "enrolment closed"
        subject = f"product {product_key}"
        audit.record_other(session.connection(), subject, what, who, name)


def move(
    database: Database, imei: str, product_key: str | None, name: str | None, who: str
) -> None:
    """Put a device into a batch of its product; None takes it out of any.

    Raises UnknownDevice, UnknownBatch, Refused for a device that was counted already.
    """
    with database.exclusive() as session:
        device = devices.find(session, imei, product_key)
        if device.enrolled_at is not None:
            raise Refused("the device has enrolled already; its batch stays")
        batch = name and products.find_batch(session, device.product_key, name)
        device.batch_id = batch.id if batch else None
        what = "put into batch" if batch else "taken out of batch"
        audit.record(session.connection(), device.id, what, who, name)


def get(database: Database, product_key: str, name: str) -> dict[str, Any]:
    """The batch of this name. Raises UnknownBatch."""
    with database.snapshot() as session:
        return summary(products.find_batch(session, product_key, name))


def listed(
    database: Database, product_key: str | None = None
) -> Sequence[dict[str, Any]]:
    """All batches, or a product's, newest first, and how many devices each has."""
    count = (
        select(func.count(Device.id))
        .where(Device.batch_id == Batch.id)
        .scalar_subquery()
    )
    query = select(Batch, count).order_by(Batch.id.desc())
    if product_key is not None:
        query = query.where(Batch.product_key == product_key)
    with database.snapshot() as session:
        return [
            {**summary(batch), "devices": number}
            for batch, number in session.execute(query)
        ]


def count_one_more(connection: Connection, batch_id: int, now: datetime) -> bool:
    """Take a place in the batch; False where it is closed. Exact, however many try."""
    values = {"id_": batch_id, "now": now}
    return connection.execute(_COUNT_ONE_MORE, values).rowcount > 0


def take_in(
    connection: Connection, board: devices.Board, imei: str
) -> devices.Board | None:
    """Register a board that could sign, in the batch that its product has for such.

    None where that batch is closed, or the IMEI is another device's name. If another
    request was faster, that is as well.
    """
    now = datetime.now(UTC)
    product = board.product
    named = {"product_key": product.product_key, "name": product.open_batch}
    batch = connection.execute(_OPEN, {**named, "now": now}).one_or_none()
    if batch is None:
        return None
    device = {"product_key": product.product_key, "imei": imei, "device_name": imei}
    device.update(state=State.REGISTERED, batch_id=batch.id)
    device.update(created_at=now, created_by=audit.SERVER)
    is_new = False
    with suppress(IntegrityError), connection.begin_nested():
        connection.execute(insert(Device), device)
        is_new = True
    found = devices.look_up(connection, imei, product.product_key)
    if found is None or found.device_id is None:
        return None
    if is_new:
        audit.record(
            connection, found.device_id, "taken in", audit.SERVER, product.open_batch
        )
    return found


def summary(batch: Batch) -> dict[str, Any]:
    """A batch for people and programs."""
    full = batch.quota is not None and batch.enrolled >= batch.quota
    ended = batch.expires_at is not None and batch.expires_at <= datetime.now(UTC)
    return {
        "product_key": batch.product_key,
        "name": batch.name,
        "quota": batch.quota,
        "expires_at": moment(batch.expires_at),
        "enrolled": batch.enrolled,
        "open": not (full or ended),
        "created_at": moment(batch.created_at),
    }


def _audit(session: Session, batch: Batch, what: str, who: str, note: str) -> None:
    subject = f"batch {batch.product_key}/{batch.name}"
    audit.record_other(session.connection(), subject, what, who, note)
