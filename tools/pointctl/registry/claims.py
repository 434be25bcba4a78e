"""Claims: whether a signed request is given the device's credential (version 2).

A claim is one request id of one device. Each request is one transaction that is alone
with the device, and comes here only if its signature holds. The rules, in order:

1. A revoked device is refused, and so is one in quarantine.
2. It may ask 20 times at once and then every 3 seconds; beyond that it is told to wait.
3. An open claim gets the credential again: the reply may have been lost. It ends when
   it is acknowledged, when the device connects to the broker, when another claim takes
   its place, or after 7 days; then its id is spent.
4. Another id gets the same credential and takes the place of the open claim: under
   device-key because the signature is the board's own. Under product-secret only the
   first claim does; another has to prove the deviceSecret that was issued, or an
   operator has to have reopened the device, which counts for one claim.
5. What speaks for two boards behind one IMEI is a doubt: under device-key an id that
   takes the place of one whose reply nobody acknowledged, under product-secret a claim
   without proof, which is refused. Within an hour the sixth or the third puts the
   device in quarantine. Its broker account stays: who is connected is left alone.
"""

import hmac
import math
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update

from point import protocol, seal
from pointctl.registry import audit, devices
from pointctl.registry.models import (
    Claim,
    ClaimState,
    Credential,
    Device,
    Policy,
    State,
)

_log = structlog.get_logger()

WINDOW = timedelta(days=7)
_EACH = timedelta(seconds=3)
_AT_ONCE = 20
_DOUBT_WINDOW = timedelta(hours=1)
_DOUBTS = {Policy.DEVICE_KEY: 6, Policy.PRODUCT_SECRET: 3}  # so many: quarantine

# Built once and run below the ORM. The device's row is locked by name for databases
# that let several write at once.
_LOCK_AND_READ = (
    select(
        Device.state,
        Device.announced_at,
        Device.reopened_at,
        Device.busy_until,
        Device.doubts,
        Device.doubted_at,
        Credential.device_secret,
        Claim.id.label("claim_id"),
        Claim.state.label("claim_state"),
        Claim.first_seen,
    )
    .join_from(Device, Credential, isouter=True)
    .join(
        Claim,
        and_(Claim.device_id == Device.id, Claim.request_id == bindparam("request_id")),
        isouter=True,
    )
    .where(Device.id == bindparam("id_"))
    .with_for_update(of=Device)
)
_ADD_CREDENTIAL = insert(Credential)
_ADD_CLAIM = insert(Claim)
_ANSWER_AGAIN = (
    update(Claim)
    .where(Claim.id == bindparam("id_"))
    .values(answered=Claim.answered + 1, last_seen=bindparam("now"))
)
_CLOSE = (
    update(Claim)
    .where(Claim.device_id == bindparam("id_"), Claim.state == ClaimState.OPEN)
    .values(state=bindparam("closed"), last_seen=bindparam("now"))
)
_ACKNOWLEDGE = _CLOSE.where(Claim.request_id == bindparam("request_id_"))


@dataclass(frozen=True)
class Verdict:
    """What a request comes to: a secret, or the code of a refusal."""

    code: str
    secret: str | None = field(default=None, repr=False)
    announced: bool = False  # whether the broker knows the secret
    retry_after_s: int | None = None
    reason: str | None = None  # for the log


def judge(
    connection: Connection,
    board: devices.Board,
    request: dict[str, Any],
) -> Verdict:
    """Decide about a request whose signature holds, and write down what was decided.

    `board` is devices.look_up()'s row. Call it in a writing transaction.
    """
    now = datetime.now(UTC)
    row = connection.execute(
        _LOCK_AND_READ,
        {"id_": board.device_id, "request_id": request["requestId"]},
    ).one()
    if row.state is State.REVOKED:
        return Verdict(protocol.REVOKED)
    if row.state is State.QUARANTINED:
        return Verdict(protocol.WAITING, reason="in quarantine")
    ahead = row.busy_until - now if row.busy_until else timedelta()
    wait = ahead - (_AT_ONCE - 1) * _EACH
    if wait > timedelta():
        seconds = math.ceil(wait.total_seconds())
        return Verdict(protocol.SLOW_DOWN, retry_after_s=seconds)
    changes: dict[str, Any] = {"busy_until": now + max(ahead, timedelta()) + _EACH}
    verdict = _decide(connection, board, row, request, now, changes)
    connection.execute(
        update(Device).where(Device.id == board.device_id).values(changes)
    )
    return verdict


def mint(
    connection: Connection, device_id: int, now: datetime, changes: dict[str, Any]
) -> str:
    """Make the device's secret. `changes` gets what that changes of the device."""
    secret = secrets.token_hex(16)
    values = {"device_id": device_id, "device_secret": secret, "created_at": now}
    connection.execute(_ADD_CREDENTIAL, values)
    changes.update(state=State.ISSUED, issued_at=now)
    audit.record(connection, device_id, "issued", audit.SERVER)
    return secret


def acknowledge(connection: Connection, device_id: int, request_id: str) -> None:
    """The board has the credential: its request id is spent. Again changes nothing."""
    values = {"id_": device_id, "request_id_": request_id}
    values["closed"] = ClaimState.ACKNOWLEDGED
    connection.execute(_ACKNOWLEDGE, {**values, "now": datetime.now(UTC)})


def close(connection: Connection, device_id: int, closed: ClaimState) -> bool:
    """End the device's open claim as `closed`; whether there was one."""
    values = {"id_": device_id, "closed": closed, "now": datetime.now(UTC)}
    return connection.execute(_CLOSE, values).rowcount > 0


def _decide(
    connection: Connection,
    board: devices.Board,
    row: Row[*tuple[Any, ...]],
    request: dict[str, Any],
    now: datetime,
    changes: dict[str, Any],
) -> Verdict:
    """Rules 3 to 5; what they change of the device is added to `changes`."""
    device_id = board.device_id
    announced = row.announced_at is not None
    if row.claim_id is not None:
        if row.claim_state is not ClaimState.OPEN or row.first_seen < now - WINDOW:
            return Verdict(protocol.REPLAYED)
        connection.execute(_ANSWER_AGAIN, {"id_": row.claim_id, "now": now})
        return Verdict(protocol.SUCCESS, row.device_secret, announced)
    secret = row.device_secret
    by_secret = board.policy is Policy.PRODUCT_SECRET
    if by_secret and secret and not _proven(secret, request):
        reopened = row.reopened_at and row.reopened_at > now - WINDOW
        if not reopened:
            _doubt(connection, board, row, now, changes, "second identity")
            return Verdict(protocol.ALREADY_ISSUED, reason="no proof")
        changes["reopened_at"] = None
    replaced = close(connection, device_id, ClaimState.SUPERSEDED)
    if replaced and not by_secret:
        _doubt(connection, board, row, now, changes, "claim superseded")
        if changes.get("state") is State.QUARANTINED:
            return Verdict(protocol.WAITING, reason="in quarantine from now on")
    if secret is None:
        secret = mint(connection, device_id, now, changes)
    claim = {"device_id": device_id, "request_id": request["requestId"]}
    claim.update(state=ClaimState.OPEN, answered=1, first_seen=now, last_seen=now)
    connection.execute(_ADD_CLAIM, claim)
    return Verdict(protocol.SUCCESS, secret, announced)


def _proven(secret: str, request: dict[str, Any]) -> bool:
    names = request["imei"], request["productKey"], request["requestId"]
    expected = seal.sign(secret.encode(), "proof", *names, request["time"])
    return hmac.compare_digest(expected, request["proof"] or "")


def _doubt(
    connection: Connection,
    board: devices.Board,
    row: Row[*tuple[Any, ...]],
    now: datetime,
    changes: dict[str, Any],
    what: str,
) -> None:
    audit.record(connection, board.device_id, what, audit.SERVER)
    if row.doubted_at is None or row.doubted_at < now - _DOUBT_WINDOW:
        changes.update(doubts=1, doubted_at=now)
    else:
        changes["doubts"] = row.doubts + 1
    if changes["doubts"] >= _DOUBTS[board.policy]:
        changes["state"] = State.QUARANTINED
        audit.record(connection, board.device_id, "quarantined", audit.SERVER)
        _log.warning(
            "quarantined", product_key=board.product_key, device=board.device_id
        )
