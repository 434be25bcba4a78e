"""What an operator does to one device; the audit has each change and who made it.

All raise devices.UnknownDevice, and Refused where the device is in another state than
the change needs. A `reason` is kept in the audit. With an `etag`, which search.show()
gives, a device that has changed since is left alone: that raises etags.Changed.
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
    """Why a change is made, and to which version of the device."""

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
    """Refuse its claims, and its logins at the broker.

    Raises PartlyFailed where a broker has an account of the device and is not given
    here, or what the broker raises: then the device is revoked in the registry only,
    and the call has to be repeated.
    """
    with _changing(database, imei, product_key, who, "revoked", why) as found:
        session, device = found
        if device.state is State.RETIRED:
            raise Refused("the device is retired, which includes being revoked")
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
    """End a revocation: answer its next claim again, with a new secret."""
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
    """End its life: its identity is never given again. Raises as revoke()."""
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
    """Undo a retirement: answer its next claim again, with a new secret."""
    with _changing(database, imei, product_key, who, "unretired", why) as found:
        _begin_again(*found, after=State.RETIRED)


def lock(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> None:
    """Stop its claims; a device that is connected stays connected."""
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
    """Under product-secret: allow one claim without a proof of the deviceSecret.

    It ends a quarantine, too, and is valid for seven days.
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
    """Give its next claim a new secret; the old one is valid until that is used.

    Called again before then, it makes another new secret.
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
        # A request id stands for one credential; the board claims under another id.
        claims.close(connection, device.id, ClaimState.SUPERSEDED)


def reveal(
    database: Database,
    imei: str,
    product_key: str | None,
    who: str,
    **why: Unpack[Why],
) -> list[str]:
    """The secrets that the device may use, the current one first.

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
    """End the device's account at a broker that has one."""
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
    """Give the device the state that it had before it was stopped; end its doubts."""
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
    """One transaction for a change and its entry in the audit."""
    reason = why.get("reason") and audit.check_reason(why.get("reason"))
    with database.exclusive() as session:
        device = devices.find(session, imei, product_key)
        if etag := why.get("etag"):
            (summary,) = search.summarize(session, [device])
            etags.check(etag, summary, "device")
        yield session, device
        audit.record(session.connection(), device.id, what, who, reason)
