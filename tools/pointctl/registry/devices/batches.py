"""Batches: devices that are made together, how many may enrol, and until when.

A device is counted once, when it first receives a credential: a repaired board does not
take a second place. When the quota is used up or the batch has ended, no further device
of it enrols; devices that have enrolled are not affected.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypedDict

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
from pointctl.registry.storage.models import Batch, Device, Product, State, format_time

_IS_OPEN = (
    or_(Batch.quota.is_(None), Batch.enrolled < Batch.quota),
    or_(Batch.expires_at.is_(None), Batch.expires_at > bindparam("now")),
)
_TAKE_PLACE = (
    update(Batch)
    .where(Batch.id == bindparam("id_"), *_IS_OPEN)
    .values(enrolled=Batch.enrolled + 1)
)
_OPEN = select(Batch.id).where(
    Batch.product_key == bindparam("product_key"),
    Batch.name == bindparam("name"),
    *_IS_OPEN,
)


class BatchSummary(TypedDict):
    """A batch as it is printed."""

    product_key: str
    name: str
    quota: int | None
    expires_at: str | None
    enrolled: int
    open: bool
    created_at: str | None


class BatchListing(BatchSummary):
    """A batch in a list, with the number of devices that are registered in it."""

    devices: int


class _Keep:
    """Marks a value that does not change; None would remove the limit."""


KEEP: Final = _Keep()


@dataclass(frozen=True)
class _Limits:
    quota: int | None
    expires_at: datetime | None

    def __post_init__(self) -> None:
        if self.quota is not None and not 0 <= self.quota < 2**31:
            raise PointctlError(
                f"the quota {self.quota} is not a number of devices: 0 to {2**31 - 1}"
            )
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise PointctlError(
                f"the end {self.expires_at} of the batch has no time zone; add one"
            )

    def __str__(self) -> str:
        quota = "none" if self.quota is None else self.quota
        return f"quota {quota}, ends {format_time(self.expires_at) or 'never'}"


def add(
    database: Database,
    product_key: str,
    name: str,
    who: str,
    *,
    quota: int | None = None,
    expires_at: datetime | None = None,
) -> BatchSummary:
    """Add a batch to a product; None means no quota, or no end.

    Raises PointctlError for an invalid name or an unknown product, Refused if the
    product has a batch of this name.
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
            raise Refused(
                f"the batch {name} of {product_key} exists already; choose another name"
            )
        batch = Batch(product_key=product_key, name=name, enrolled=0)
        batch.quota, batch.expires_at = limits.quota, limits.expires_at
        batch.created_at = datetime.now(UTC)
        session.add(batch)
        _audit(session, batch, "batch added", who, str(limits))
        return summarize(batch)


def change(
    database: Database,
    product_key: str,
    name: str,
    who: str,
    *,
    quota: int | _Keep | None = KEEP,
    expires_at: datetime | _Keep | None = KEEP,
    etag: str | None = None,
) -> BatchSummary:
    """Change the quota or the end of a batch; None removes it.

    A quota below the number of enrolled devices closes the batch. Raises UnknownBatch,
    PointctlError, and etags.Changed if `etag` is given and is not that of the batch's
    summary.
    """
    with database.exclusive() as session:
        batch = products.find_batch(session, product_key, name)
        etags.check(etag, summarize(batch), "batch")
        limits = _Limits(
            batch.quota if isinstance(quota, _Keep) else quota,
            batch.expires_at if isinstance(expires_at, _Keep) else expires_at,
        )
        batch.quota, batch.expires_at = limits.quota, limits.expires_at
        _audit(session, batch, "batch changed", who, str(limits))
        return summarize(batch)


def open_to_unknown(
    database: Database, product_key: str, name: str | None, who: str
) -> None:
    """Choose the batch into which unregistered boards are registered if they can sign.

    None: only registered boards are served. Raises UnknownBatch, Refused for a product
    whose boards do not sign requests.
    """
    with database.exclusive() as session:
        products.check_exists(session, product_key)
        product = session.get_one(Product, product_key)
        if name is not None:
            products.find_batch(session, product_key, name)
            products.check_can_sign(product)
        product.open_batch = name
        what = "enrolment opened" if name else "enrolment closed"
        subject = f"product {product_key}"
        audit.record_other(session.connection(), subject, what, who, name)


def move(
    database: Database, imei: str, product_key: str | None, name: str | None, who: str
) -> None:
    """Put a device into a batch of its product; None removes it from its batch.

    Raises UnknownDevice, UnknownBatch, Refused for a device that is counted already.
    """
    with database.exclusive() as session:
        device = devices.find(session, imei, product_key)
        if device.enrolled_at is not None:
            raise Refused("the device has enrolled already; its batch cannot change")
        batch = name and products.find_batch(session, device.product_key, name)
        device.batch_id = batch.id if batch else None
        what = "put into batch" if batch else "taken out of batch"
        audit.record(session.connection(), device.id, what, who, name)


def get(database: Database, product_key: str, name: str) -> BatchSummary:
    """Return the batch of this name. Raises UnknownBatch."""
    with database.snapshot() as session:
        return summarize(products.find_batch(session, product_key, name))


def list_batches(
    database: Database, product_key: str | None = None
) -> list[BatchListing]:
    """Return all batches, or those of a product, newest first."""
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
            {**summarize(batch), "devices": number}
            for batch, number in session.execute(query)
        ]


def take_place(connection: Connection, batch_id: int, now: datetime) -> bool:
    """Count one more device of the batch; return False if the batch is closed.

    The count stays exact when several processes do it at once.
    """
    values = {"id_": batch_id, "now": now}
    return connection.execute(_TAKE_PLACE, values).rowcount > 0


def auto_register(
    connection: Connection, board: devices.BoardRecord, imei: str
) -> devices.BoardRecord | None:
    """Register an unknown board, whose signature was valid, in the open batch.

    Return None if that batch is closed or another device has the IMEI as its name. If
    another request has just registered the board, return that registration.
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


def summarize(batch: Batch) -> BatchSummary:
    """Describe a batch."""
    full = batch.quota is not None and batch.enrolled >= batch.quota
    ended = batch.expires_at is not None and batch.expires_at <= datetime.now(UTC)
    return {
        "product_key": batch.product_key,
        "name": batch.name,
        "quota": batch.quota,
        "expires_at": format_time(batch.expires_at),
        "enrolled": batch.enrolled,
        "open": not (full or ended),
        "created_at": format_time(batch.created_at),
    }


def _audit(session: Session, batch: Batch, what: str, who: str, note: str) -> None:
    subject = f"batch {batch.product_key}/{batch.name}"
    audit.record_other(session.connection(), subject, what, who, note)
