"""Claims: whether a signed request is given the device's credential (version 2).

A claim is one request id of one device. Each request is one transaction that is alone
with the device, and comes here only if its signature holds. The rules, in order:

1. A device that is revoked or retired is refused, one that is locked or in quarantine
   has to wait for an operator. So has one that would be the first claim beyond its
   batch's quota or end.
2. It may ask 20 times at once and then every 3 seconds; beyond that it is told to wait.
3. An open claim gets the credential again: the reply may have been lost. It ends when
   it is acknowledged, when the device connects to the broker, when another claim takes
   its place, or after 7 days; then its id is spent.
4. Another id gets the same credential, or after a rotation the next one, and takes the
   place of the open claim: under device-key because the signature is the board's own.
   Under product-secret only the first claim does; another has to prove a deviceSecret
   that was issued, or an operator has to have reopened the device, which counts for one
   claim.
5. What speaks for two boards behind one IMEI is a doubt: under device-key an id that
   takes the place of one whose reply nobody acknowledged, under product-secret a claim
   without proof, which is refused. Within an hour the sixth or the third puts the
   device in quarantine. Its broker account stays: who is connected is left alone.
"""

import hmac
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, and_, bindparam, insert, select, update

from point import protocol, seal
from pointctl.registry import audit, batches, credentials, devices, pool
from pointctl.registry.credentials import Given
from pointctl.registry.models import Claim, ClaimState, Device, Policy, Source, State
from pointctl.registry.vault import Vault

_log = structlog.get_logger()

WINDOW = timedelta(days=7)
_EACH = timedelta(seconds=3)
_AT_ONCE = 20
_DOUBT_WINDOW = timedelta(hours=1)
_DOUBTS = {Policy.DEVICE_KEY: 6, Policy.PRODUCT_SECRET: 3}  # so many: quarantine
REFUSED_STATES = {
    State.REVOKED: protocol.REVOKED,
    State.RETIRED: protocol.REVOKED,
    State.QUARANTINED: protocol.WAITING,
    State.LOCKED: protocol.WAITING,
}

# Built once and run below the ORM. The device's row is locked by name for databases
# that let several write at once.
_LOCK_AND_READ = (
    select(
        *credentials.COLUMNS,
        Device.state,
        Device.batch_id,
        Device.enrolled_at,
        Device.announced_at,
        Device.reopened_at,
        Device.busy_until,
        Device.doubts,
        Device.doubted_at,
        Claim.id.label("claim_id"),
        Claim.state.label("claim_state"),
        Claim.first_seen,
    )
    .select_from(credentials.OF_DEVICE)
    .join(
        Claim,
        and_(Claim.device_id == Device.id, Claim.request_id == bindparam("request_id")),
        isouter=True,
    )
    .where(Device.id == bindparam("id_"))
    .with_for_update(of=Device)
)
_READ = (
    select(*credentials.COLUMNS, Device.state, Device.announced_at)
    .select_from(credentials.OF_DEVICE)
    .where(Device.id == bindparam("id_"))
)
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
    """What a request comes to: a credential, or the code of a refusal."""

    code: str
    given: Given | None = None
    announced: bool = False  # whether the broker knows the credential
    retry_after_s: int | None = None
    reason: str | None = None  # for the log


def judge(
    connection: Connection, keys: Vault, board: devices.Board, request: dict[str, Any]
) -> Verdict:
    """Decide about a request whose signature holds, and write down what was decided.

    `board` is devices.look_up()'s row. Call it in a writing transaction. Raises
    NothingLeft: then that transaction has to be undone.
    """
    now = datetime.now(UTC)
    row = _locked(connection, board, request["requestId"])
    if row.state in REFUSED_STATES:
        return Verdict(REFUSED_STATES[row.state], reason=row.state.value)
    ahead = row.busy_until - now if row.busy_until else timedelta()
    wait = ahead - (_AT_ONCE - 1) * _EACH
    if wait > timedelta():
        seconds = math.ceil(wait.total_seconds())
        return Verdict(protocol.SLOW_DOWN, retry_after_s=seconds)
    changes: dict[str, Any] = {"busy_until": now + max(ahead, timedelta()) + _EACH}
    verdict = _decide(connection, keys, board, row, request, now, changes)
    connection.execute(
        update(Device).where(Device.id == board.device_id).values(changes)
    )
    return verdict


def again(connection: Connection, keys: Vault, board: devices.Board) -> Verdict | None:
    """What an open product's device is given, if it was before; None if not yet."""
    row = connection.execute(_READ, {"id_": board.device_id}).one()
    if row.state in REFUSED_STATES:
        return Verdict(REFUSED_STATES[row.state], reason=row.state.value)
    given = credentials.handed_out(keys, row)
    return Verdict(protocol.SUCCESS, given, _announced(row)) if given else None


def first(connection: Connection, keys: Vault, board: devices.Board) -> Verdict:
    """What an open product's device is given, made now unless somebody was faster.

    Call it in a writing transaction. Raises NothingLeft, as judge().
    """
    row = _locked(connection, board, "")
    if row.state in REFUSED_STATES:
        return Verdict(REFUSED_STATES[row.state], reason=row.state.value)
    given = credentials.handed_out(keys, row)
    if given is not None:
        return Verdict(protocol.SUCCESS, given, _announced(row))
    changes: dict[str, Any] = {}
    given = _issue(connection, keys, board, row, datetime.now(UTC), changes)
    if given is None:
        return Verdict(protocol.WAITING, reason="batch closed")
    connection.execute(
        update(Device).where(Device.id == board.device_id).values(changes)
    )
    return Verdict(protocol.SUCCESS, given)


def is_announced(connection: Connection, device_id: int) -> bool:
    """Whether the broker has been told of what the device is given."""
    return _announced(connection.execute(_READ, {"id_": device_id}).one())


def _locked(
    connection: Connection, board: devices.Board, request_id: str
) -> Row[*tuple[Any, ...]]:
    values = {"id_": board.device_id, "request_id": request_id}
    return connection.execute(_LOCK_AND_READ, values).one()


def _announced(row: Row[*tuple[Any, ...]]) -> bool:
    return row.announced_at is not None and row.next_secret is None


def _issue(
    connection: Connection,
    keys: Vault,
    board: devices.Board,
    row: Row[*tuple[Any, ...]],
    now: datetime,
    changes: dict[str, Any],
) -> Given | None:
    """The device's first credential; None where its batch is closed.

    `changes` gets what that changes of the device.
    """
    if row.enrolled_at is None:
        if row.batch_id and not batches.count_one_more(connection, row.batch_id, now):
            audit.record_once(connection, row.id, "batch closed", audit.SERVER)
            return None
        changes["enrolled_at"] = now
    given = credentials.issue(connection, keys, board.source, row, now)
    changes.update(state=State.ISSUED, issued_at=now, device_name=given.device_name)
    audit.record(connection, row.id, "issued", audit.SERVER)
    if board.source is Source.POOL:
        pool.watch(connection, board)
    return given


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
    keys: Vault,
    board: devices.Board,
    row: Row[*tuple[Any, ...]],
    request: dict[str, Any],
    now: datetime,
    changes: dict[str, Any],
) -> Verdict:
    """Rules 3 to 5; what they change of the device is added to `changes`."""
    given = credentials.handed_out(keys, row)
    if row.claim_id is not None:
        if row.claim_state is not ClaimState.OPEN or row.first_seen < now - WINDOW:
            return Verdict(protocol.REPLAYED)
        connection.execute(_ANSWER_AGAIN, {"id_": row.claim_id, "now": now})
        return Verdict(protocol.SUCCESS, given, _announced(row))
    by_secret = board.policy is Policy.PRODUCT_SECRET
    if by_secret and given and not _proven(credentials.secrets(keys, row), request):
        reopened = row.reopened_at and row.reopened_at > now - WINDOW
        if not reopened:
            _doubt(connection, board, row, now, changes, "second identity")
            return Verdict(protocol.ALREADY_ISSUED, reason="no proof")
        changes["reopened_at"] = None
    replaced = close(connection, row.id, ClaimState.SUPERSEDED)
    if replaced and not by_secret:
        _doubt(connection, board, row, now, changes, "claim superseded")
        if changes.get("state") is State.QUARANTINED:
            return Verdict(protocol.WAITING, reason="in quarantine from now on")
    if given is None:
        given = _issue(connection, keys, board, row, now, changes)
        if given is None:
            return Verdict(protocol.WAITING, reason="batch closed")
    claim = {"device_id": row.id, "request_id": request["requestId"]}
    claim.update(state=ClaimState.OPEN, answered=1, first_seen=now, last_seen=now)
    connection.execute(_ADD_CLAIM, claim)
    return Verdict(protocol.SUCCESS, given, _announced(row))


def _proven(secrets: list[str], request: dict[str, Any]) -> bool:
    """Whether the request proves one of the device's secrets."""
    names = request["imei"], request["productKey"], request["requestId"]
    found = False
    for secret in secrets:
        expected = seal.sign(secret.encode(), "proof", *names, request["time"])
        found |= hmac.compare_digest(expected, request["proof"] or "")
    return found


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
