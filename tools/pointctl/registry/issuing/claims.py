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
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import structlog
from sqlalchemy import (
    Connection,
    Row,
    Update,
    bindparam,
    insert,
    or_,
    select,
    update,
)

from point import protocol, seal
from pointctl.registry import audit
from pointctl.registry.devices import batches, devices
from pointctl.registry.issuing import credentials, pool
from pointctl.registry.issuing.credentials import Given
from pointctl.registry.issuing.sources import NothingLeft
from pointctl.registry.storage.models import (
    Claim,
    ClaimState,
    Device,
    Policy,
    Source,
    State,
    table,
)
from pointctl.registry.storage.vault import Vault
from pointctl.registry.storage.write_batch import WriteBatch

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

# Built once, and below the ORM.
_DEVICES, _CLAIMS = table(Device), table(Claim).c
_READ = select(
    *credentials.COLUMNS,
    Device.state,
    Device.batch_id,
    Device.enrolled_at,
    Device.announced_at,
    Device.reopened_at,
    Device.busy_until,
    Device.doubts,
    Device.doubted_at,
).where(Device.id.in_(bindparam("ids", expanding=True)))
_READ_CLAIMS = select(
    _CLAIMS.id,
    _CLAIMS.device_id,
    _CLAIMS.request_id,
    _CLAIMS.state,
    _CLAIMS.first_seen,
).where(
    _CLAIMS.device_id.in_(bindparam("ids", expanding=True)),
    or_(
        _CLAIMS.state == ClaimState.OPEN,
        _CLAIMS.request_id.in_(bindparam("request_ids", expanding=True)),
    ),
)
_ADD = insert(table(Claim)).inline()
_ANSWER_AGAIN = (
    update(table(Claim))
    .where(_CLAIMS.id == bindparam("id_"))
    .values(answered=_CLAIMS.answered + 1, last_seen=bindparam("now"))
)
_SUPERSEDE = (
    update(table(Claim))
    .where(_CLAIMS.id == bindparam("id_"))
    .values(state=ClaimState.SUPERSEDED, last_seen=bindparam("now"))
)
_CLOSE = (
    update(table(Claim))
    .where(_CLAIMS.device_id == bindparam("id_"), _CLAIMS.state == ClaimState.OPEN)
    .values(state=bindparam("closed"), last_seen=bindparam("now"))
)
_ACKNOWLEDGE = _CLOSE.where(_CLAIMS.request_id == bindparam("request_id_"))

_Row = Row[*tuple[Any, ...]]


@dataclass(frozen=True)
class Verdict:
    """What a request comes to: a credential, or the code of a refusal."""

    code: str
    given: Given | None = None
    announced: bool = False  # whether the broker knows the credential
    retry_after_s: int | None = None
    reason: str | None = None  # for the log


@dataclass
class _Case:
    """A claim, what the registry knows of its device, and what is to be written."""

    product: _Row
    row: _Row  # of _READ
    request: dict[str, Any]
    own: _Row | None = None  # the claim of this id, of _READ_CLAIMS
    open_ids: Sequence[int] = ()  # of its open claims: one, or none
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    changes: dict[str, Any] = field(default_factory=dict)  # of the device
    writes: WriteBatch = field(default_factory=WriteBatch)

    def note(self, what: str) -> None:
        """Add an entry to the device's audit."""
        self.writes.add(audit.ADD, audit.entry_values(self.row.id, what, audit.SERVER))

    def all_writes(self) -> WriteBatch:
        """What is to be written, with the changes of the device."""
        if self.changes:
            names = frozenset(self.changes)
            values = {f"new_{name}": value for name, value in self.changes.items()}
            self.writes.add(_change(names), {"id_": self.row.id, **values})
        return self.writes


def judge_all(
    connection: Connection,
    keys: Vault,
    asked: Sequence[tuple[devices.BoardRecord, dict[str, Any]]],
) -> tuple[list[Verdict], WriteBatch]:
    """Decide about what boards ask and sign; what is decided is still to be written.

    Claims and acknowledgements, each of another device; the transaction has these
    devices to itself.
    """
    writes = WriteBatch()
    verdicts: dict[int | None, Verdict] = {}
    for board, request in asked:
        if request["ack"]:
            _acknowledge(writes, board, request)
            verdicts[board.device_id] = Verdict(protocol.SUCCESS)
    cases = _cases(connection, [each for each in asked if not each[1]["ack"]])
    # Those of a batch one after the other: no two transactions lock crosswise.
    for case in sorted(cases, key=lambda case: (case.row.batch_id or 0, case.row.id)):
        verdicts[case.row.id] = _judge(connection, keys, case)
        writes.include(case.all_writes())
    return [verdicts[board.device_id] for board, _ in asked], writes


def again(
    connection: Connection, keys: Vault, board: devices.BoardRecord
) -> Verdict | None:
    """What an open product's device is given, if it was before; None if not yet."""
    row = _read(connection, board.device_id)
    if row.state in REFUSED_STATES:
        return Verdict(REFUSED_STATES[row.state], reason=row.state.value)
    given = credentials.handed_out(keys, row)
    return Verdict(protocol.SUCCESS, given, _announced(row)) if given else None


def first(connection: Connection, keys: Vault, board: devices.BoardRecord) -> Verdict:
    """What an open product's device is given, made now unless somebody was faster.

    Call it in a writing transaction. Raises NothingLeft: then it has to be undone.
    """
    found = again(connection, keys, board)
    if found is not None:
        return found
    case = _Case(board.product, _read(connection, board.device_id), {})
    given = _issue(connection, keys, case)
    if given is None:
        return Verdict(protocol.WAITING, reason="batch closed")
    case.all_writes().make(connection)
    return Verdict(protocol.SUCCESS, given)


def is_announced(connection: Connection, device_id: int) -> bool:
    """Whether the broker has been told of what the device is given."""
    return _announced(_read(connection, device_id))


def close(connection: Connection, device_id: int, closed: ClaimState) -> None:
    """End the device's open claim as `closed`, if it has one."""
    values = {"id_": device_id, "closed": closed, "now": datetime.now(UTC)}
    connection.execute(_CLOSE, values)


def _acknowledge(
    writes: WriteBatch, board: devices.BoardRecord, request: dict[str, Any]
) -> None:
    """The board has the credential: its request id is spent. Again changes nothing."""
    values = {"id_": board.device_id, "request_id_": request["requestId"]}
    values.update(closed=ClaimState.ACKNOWLEDGED, now=datetime.now(UTC))
    writes.add(_ACKNOWLEDGE, values)


def _read(connection: Connection, device_id: int | None) -> _Row:
    return connection.execute(_READ, {"ids": [device_id]}).one()


def _cases(
    connection: Connection, asked: Sequence[tuple[devices.BoardRecord, dict[str, Any]]]
) -> list[_Case]:
    if not asked:
        return []
    ids = devices.pad_values([board.device_id for board, _ in asked])
    request_ids = devices.pad_values([request["requestId"] for _, request in asked])
    rows = {row.id: row for row in connection.execute(_READ, {"ids": ids})}
    own: dict[tuple[int | None, str], _Row] = {}
    open_ids: dict[int | None, list[int]] = {}
    values = {"ids": ids, "request_ids": request_ids}
    for claim in connection.execute(_READ_CLAIMS, values):
        own[claim.device_id, claim.request_id] = claim
        if claim.state is ClaimState.OPEN:
            open_ids.setdefault(claim.device_id, []).append(claim.id)
    return [
        _Case(
            board.product,
            row=rows[board.device_id],
            request=request,
            own=own.get((board.device_id, request["requestId"])),
            open_ids=open_ids.get(board.device_id, ()),
        )
        for board, request in asked
    ]


def _judge(connection: Connection, keys: Vault, case: _Case) -> Verdict:
    """Rules 1 and 2, and the others where they are kept."""
    row, now = case.row, case.now
    if row.state in REFUSED_STATES:
        return Verdict(REFUSED_STATES[row.state], reason=row.state.value)
    ahead = row.busy_until - now if row.busy_until else timedelta()
    wait = ahead - (_AT_ONCE - 1) * _EACH
    if wait > timedelta():
        seconds = math.ceil(wait.total_seconds())
        return Verdict(protocol.SLOW_DOWN, retry_after_s=seconds)
    case.changes["busy_until"] = now + max(ahead, timedelta()) + _EACH
    if case.product.source is Source.MINT:
        return _decide(connection, keys, case)
    try:
        with connection.begin_nested():
            return _decide(connection, keys, case)
    except NothingLeft as error:
        case.changes, case.writes = {}, WriteBatch()
        return Verdict(protocol.POOL_EMPTY, reason=str(error))


def _decide(connection: Connection, keys: Vault, case: _Case) -> Verdict:
    """Rules 3 to 5."""
    row, own, now, request = case.row, case.own, case.now, case.request
    given = credentials.handed_out(keys, row)
    if own is not None:
        if own.state is not ClaimState.OPEN or own.first_seen < now - WINDOW:
            return Verdict(protocol.REPLAYED)
        case.writes.add(_ANSWER_AGAIN, {"id_": own.id, "now": now})
        return Verdict(protocol.SUCCESS, given, _announced(row))
    by_secret = case.product.policy is Policy.PRODUCT_SECRET
    if by_secret and given and not _proven(credentials.secrets(keys, row), request):
        reopened = row.reopened_at and row.reopened_at > now - WINDOW
        if not reopened:
            _doubt(case, "second identity")
            return Verdict(protocol.ALREADY_ISSUED, reason="no proof")
        case.changes["reopened_at"] = None
    for claim_id in case.open_ids:
        case.writes.add(_SUPERSEDE, {"id_": claim_id, "now": now})
    if case.open_ids and not by_secret:
        _doubt(case, "claim superseded")
        if case.changes.get("state") is State.QUARANTINED:
            return Verdict(protocol.WAITING, reason="in quarantine from now on")
    if given is None:
        given = _issue(connection, keys, case)
        if given is None:
            return Verdict(protocol.WAITING, reason="batch closed")
    claim = {"device_id": row.id, "request_id": request["requestId"]}
    claim.update(state=ClaimState.OPEN, answered=1, first_seen=now, last_seen=now)
    case.writes.add(_ADD, claim)
    return Verdict(protocol.SUCCESS, given, _announced(row))


def _issue(connection: Connection, keys: Vault, case: _Case) -> Given | None:
    """The device's first credential; None where its batch is closed."""
    row, now, source = case.row, case.now, case.product.source
    if row.enrolled_at is None:
        if row.batch_id and not batches.take_place(connection, row.batch_id, now):
            audit.record_once(connection, row.id, "batch closed", audit.SERVER)
            return None
        case.changes["enrolled_at"] = now
    given = credentials.issue(connection, keys, source, row, now, case.writes)
    name = given.device_name
    case.changes.update(state=State.ISSUED, issued_at=now, device_name=name)
    case.note("issued")
    if source is Source.POOL:
        pool.watch(connection, case.product)
    return given


def _announced(row: _Row) -> bool:
    return row.announced_at is not None and row.next_secret is None


def _proven(secrets: list[str], request: dict[str, Any]) -> bool:
    """Whether the request proves one of the device's secrets."""
    names = request["imei"], request["productKey"], request["requestId"]
    found = False
    for secret in secrets:
        expected = seal.sign(secret.encode(), "proof", *names, request["time"])
        found |= hmac.compare_digest(expected, request["proof"] or "")
    return found


def _doubt(case: _Case, what: str) -> None:
    row, now, changes = case.row, case.now, case.changes
    case.note(what)
    if row.doubted_at is None or row.doubted_at < now - _DOUBT_WINDOW:
        changes.update(doubts=1, doubted_at=now)
    else:
        changes["doubts"] = row.doubts + 1
    if changes["doubts"] >= _DOUBTS[case.product.policy]:
        changes["state"] = State.QUARANTINED
        case.note("quarantined")
        _log.warning("quarantined", product_key=row.product_key, device=row.id)


@cache
def _change(names: frozenset[str]) -> Update:
    """The update of these columns of a device, from new_… values."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return update(_DEVICES).where(_DEVICES.c.id == bindparam("id_")).values(values)
