"""What an operator does to one device; each is written to the audit with who did it.

All raise devices.UnknownDevice, and Refused where the device is not in a state for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, delete

from pointctl.errors import PartlyFailed, Refused
from pointctl.registry import audit, claims, devices
from pointctl.registry.access import BrokerAccounts
from pointctl.registry.database import Database
from pointctl.registry.models import ClaimState, Credential, Device, Policy, State


def revoke(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    broker_accounts: BrokerAccounts | None = None,
) -> None:
    """Give it nothing more, and let it in at the broker no more.

    Raises PartlyFailed where a broker was told of the device and is not given here, or
    what the broker raises: then the registry knows already; do it again.
    """
    with _changing(database, imei, product_key, who, "revoked") as (device, connection):
        device.state = State.REVOKED
        claims.close(connection, device.id, ClaimState.SUPERSEDED)
    if device.announced_at is None:
        return
    if broker_accounts is None:
        raise PartlyFailed(
            "revoked, but the broker still lets the device in; do it again with "
            "--mosquitto and what goes with it"
        )
    broker_accounts.refuse(device.product_key, device.device_name)
    with database.writing() as session:
        devices.find(session, imei, device.product_key).announced_at = None


def restore(database: Database, imei: str, product_key: str | None, who: str) -> None:
    """After a revocation: its next claim is answered again, with a new secret."""
    with _changing(database, imei, product_key, who, "restored") as changing:
        device, connection = changing
        if device.state is not State.REVOKED:
            raise Refused(f"the device is {device.state.value}, not revoked")
        if device.announced_at is not None:
            raise Refused("the broker still lets it in; revoke it with --mosquitto")
        connection.execute(delete(Credential).where(Credential.device_id == device.id))
        device.state = State.REGISTERED
        device.issued_at = device.confirmed_at = None
        device.doubts = 0


def reopen(database: Database, imei: str, product_key: str | None, who: str) -> None:
    """Under product-secret: allow one claim that cannot prove the deviceSecret.

    It ends a quarantine, too, and counts for seven days.
    """
    with _changing(database, imei, product_key, who, "reopened") as (device, _):
        if device.product.policy is not Policy.PRODUCT_SECRET:
            raise Refused("only devices of product-secret products are reopened")
        _end_quarantine(device)
        device.reopened_at = datetime.now(UTC)


def release(database: Database, imei: str, product_key: str | None, who: str) -> None:
    """End its quarantine."""
    with _changing(database, imei, product_key, who, "released") as (device, _):
        if device.state is not State.QUARANTINED:
            raise Refused(f"the device is {device.state.value}, not quarantined")
        _end_quarantine(device)


def _end_quarantine(device: Device) -> None:
    device.doubts = 0
    if device.state is not State.QUARANTINED:
        return
    if device.confirmed_at is not None:
        device.state = State.CONFIRMED
    else:
        device.state = State.ISSUED if device.issued_at else State.REGISTERED


@contextmanager
def _changing(
    database: Database, imei: str, product_key: str | None, who: str, what: str
) -> Iterator[tuple[Device, Connection]]:
    """One transaction around a change, with its entry in the audit."""
    with database.writing() as session:
        device = devices.find(session, imei, product_key)
        yield device, session.connection()
        audit.record(session.connection(), device.id, what, who)
