"""Claim keys for a factory: a board takes a place in a batch and is given its key.

Asking twice gives the same key and takes one place, so a lost answer costs nothing. A
board that has claimed its credential is in the field: its key is not given any more, so
that a stolen station learns nothing of it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError, Refused
from pointctl.registry import audit
from pointctl.registry.devices import products
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Batch, Device, State

KEY_GIVEN = "claim key given"


@dataclass(frozen=True)
class HandedOut:
    """A claim key, and whether its device was not registered before."""

    claim_key: str = field(repr=False)  # 64 hex digits
    registered: bool


def hand_out(
    database: Database,
    keys: ClaimKeys,
    product_key: str,
    imei: str,
    batch: str | None,
    who: str,
) -> HandedOut:
    """Register a board into a batch, or nowhere, and derive its claim key.

    Raises UnknownProduct, UnknownBatch, PointctlError for a wrong IMEI or a product
    without such keys, Refused for a batch that is full or has ended, and for a device
    that belongs to another batch or has claimed already.
    """
    try:
        imeis.check(imei)
    except PointError as error:
        raise PointctlError(f"the IMEI: {error.detail}") from error
    products.check_has_device_keys(database, product_key)
    with database.exclusive() as session:
        place = products.find_batch(session, product_key, batch) if batch else None
        device, is_new = _find_or_register(session, product_key, imei, place, who)
        audit.record(session.connection(), device.id, KEY_GIVEN, who, batch)
    return HandedOut(keys.derive(product_key, imei).hex(), is_new)


def _find_or_register(
    session: Session, product_key: str, imei: str, place: Batch | None, who: str
) -> tuple[Device, bool]:
    """The device, put into this batch; and whether it is new."""
    query = select(Device).where(Device.imei == imei, Device.product_key == product_key)
    device = session.scalar(query)
    if device is not None:
        if device.state is not State.REGISTERED:
            raise Refused(f"the device is {device.state.value}: keys are for new ones")
        if place is None or device.batch_id == place.id:
            return device, False
        if device.batch_id is not None:
            raise Refused("the device belongs to another batch")
    if place is not None:
        _check_room(session, place)
    if device is not None and place is not None:
        device.batch_id = place.id
        return device, False
    device = Device(product_key=product_key, imei=imei, device_name=imei)
    device.state, device.batch_id = State.REGISTERED, place.id if place else None
    device.created_at, device.created_by = datetime.now(UTC), who[:64]
    taken = select(Device.id).where(
        Device.product_key == product_key, Device.device_name == imei
    )
    if session.scalar(taken) is not None:
        raise Refused("its IMEI is the name of another device")
    session.add(device)
    session.flush()
    return device, True


def _check_room(session: Session, place: Batch) -> None:
    """Raise Refused where a batch takes no more devices."""
    if place.expires_at is not None and place.expires_at <= datetime.now(UTC):
        raise Refused(f"the batch {place.name} is over")
    count = select(func.count(Device.id)).where(Device.batch_id == place.id)
    if place.quota is not None and (session.scalar(count) or 0) >= place.quota:
        raise Refused(f"the batch {place.name} is full: {place.quota} devices")
