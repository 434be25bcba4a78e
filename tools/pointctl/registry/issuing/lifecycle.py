"""What an operator does to one device; each is written to the audit with who did it.

All raise devices.UnknownDevice, and Refused where the device is not in a state for it.
A `reason` is kept with the entry. With an `etag`, which search.show() gives, nothing is
done to a device that has changed since: that raises etags.Changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypedDict, Unpack

from sqlalchemy.orm import Session

from pointctl.errors import PartlyFailed, Refused
from pointctl.registry import audit
from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices import devices, search
from pointctl.registry.issuing import claims, credentials
from pointctl.registry.storage import etags
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import ClaimState, Device, Policy, Source, State

_TELL = "revoke it again with --mosquitto and what goes with it"


class Why(TypedDict, total=False):
    """Why something is done, and to which version of the device."""

    reason: str | None
    etag: str | None


def revoke(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    broker_accounts: BrokerAccounts | None = None,
    **why: Unpack[Why],
) -> None:
    """Give it nothing more, and let it in at the broker no more.

    Raises PartlyFailed where a broker was told of the device and is not given here, or
    what the broker raises: then the registry knows already; do it again.
    """
    with _changing(database, imei, product_key, who, "revoked", why) as found:
        session, device = found
        if device.state is State.RETIRED:
            raise Refused("the device is retired, and that is more")
        device.state = State.REVOKED
        claims.close(session.connection(), device.id, ClaimState.SUPERSEDED)
    _end_account(database, device, broker_accounts)


def restore(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """After a revocation: its next claim is answered again, with a new secret."""
    with _changing(database, imei, product_key, who, "restored", why) as found:
        _begin_again(*found, after=State.REVOKED)


def retire(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    broker_accounts: BrokerAccounts | None = None,
    **why: Unpack[Why],
) -> None:
    """End its life: nobody is given its identity again. Raises as revoke()."""
    with _changing(database, imei, product_key, who, "retired", why) as found:
        session, device = found
        device.state = State.RETIRED
        claims.close(session.connection(), device.id, ClaimState.SUPERSEDED)
        credentials.retire_all(session.connection(), device.id)
    _end_account(database, device, broker_accounts)


def unretire(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """It was retired by mistake: its next claim is answered, with a new secret."""
    with _changing(database, imei, product_key, who, "unretired", why) as found:
        _begin_again(*found, after=State.RETIRED)


def lock(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """Stop its claims; if it is connected, it stays so."""
    with _changing(database, imei, product_key, who, "locked", why) as (_, device):
        _check(device, State.REGISTERED, State.ISSUED, State.CONFIRMED)
        device.state = State.LOCKED


def unlock(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """Answer its claims again."""
    with _changing(database, imei, product_key, who, "unlocked", why) as (_, device):
        _check(device, State.LOCKED)
        _resume(device)


def release(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """End its quarantine."""
    with _changing(database, imei, product_key, who, "released", why) as (_, device):
        _check(device, State.QUARANTINED)
        _resume(device)


def reopen(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """Under product-secret: allow one claim that cannot prove the deviceSecret.

    It ends a quarantine, too, and counts for seven days.
    """
    with _changing(database, imei, product_key, who, "reopened", why) as (_, device):
        if device.product.policy is not Policy.PRODUCT_SECRET:
            raise Refused("only devices of product-secret products are reopened")
        if device.state is State.QUARANTINED:
            _resume(device)
        device.doubts = 0
        device.reopened_at = datetime.now(UTC)


def rotate(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """Give its next claim a new secret; the old one is good until that is seen in use.

    Once more before then, and the new one is another one.
    """
    what = "rotation begun"
    with _changing(database, imei, product_key, who, what, why) as (session, device):
        _check(device, State.ISSUED, State.CONFIRMED)
        if device.product.source is not Source.MINT:
            raise Refused(
                "its credential was imported, name and secret: revoke and restore it, "
                "and it gets another one of the pool"
            )
        connection = session.connection()
        credentials.add_next(connection, database.vault, device, Source.MINT)
        # A request id stands for one credential; the board asks under another one.
        claims.close(connection, device.id, ClaimState.SUPERSEDED)


def reveal(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> list[str]:
    """The secrets that the device may use, the current one first; say why.

    Raises PointctlError without a reason.
    """
    audit.check_reason(why.get("reason"))
    with _changing(database, imei, product_key, who, "revealed", why) as found:
        session, device = found
        row = credentials.read(session.connection(), device.id)
        secrets = credentials.secrets(database.vault, row)
        if not secrets:
            raise Refused("the device has no secret")
    return secrets


def _begin_again(session: Session, device: Device, *, after: State) -> None:
    _check(device, after)
    if device.announced_at is not None:
        raise Refused(f"the broker still lets it in; {_TELL}")
    credentials.retire_all(session.connection(), device.id)
    device.state = State.REGISTERED
    device.issued_at = device.confirmed_at = None
    device.doubts = 0


def _end_account(
    database: Database, device: Device, broker_accounts: BrokerAccounts | None
) -> None:
    """End the device's account at a broker that was told of it."""
    if device.announced_at is None:
        return
    if broker_accounts is None:
        raise PartlyFailed(
            f"{device.state.value}, but the broker still lets the device in; do it "
            "again with --mosquitto and what goes with it"
        )
    broker_accounts.refuse(device.product_key, device.device_name)
    with database.exclusive() as session:
        devices.find(session, device.imei, device.product_key).announced_at = None


def _check(device: Device, *states: State) -> None:
    if device.state not in states:
        wanted = " or ".join(state.value for state in states)
        raise Refused(f"the device is {device.state.value}, not {wanted}")


def _resume(device: Device) -> None:
    """It is again what it was before it was stopped, and under no suspicion."""
    device.doubts = 0
    if device.confirmed_at is not None:
        device.state = State.CONFIRMED
    else:
        device.state = State.ISSUED if device.issued_at else State.REGISTERED


@contextmanager
def _changing(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    what: str,
    why: Why,
) -> Iterator[tuple[Session, Device]]:
    """One transaction around a change, with its entry in the audit."""
    reason = why.get("reason") and audit.check_reason(why.get("reason"))
    with database.exclusive() as session:
        device = devices.find(session, imei, product_key)
        if etag := why.get("etag"):
            (summary,) = search.summarize(session, [device])
            etags.check(etag, summary, "device")
        yield session, device
        audit.record(session.connection(), device.id, what, who, reason)
