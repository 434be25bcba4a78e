"""Claims: whether a signed request is given the device's credential (version 2).

A claim is one request id of one device. A request comes here only if its signature
holds, and is judged in a transaction that has locked the device. The rules, in order:

1. A device that is revoked or retired is refused; one that is locked or in quarantine
   waits for an operator. So does one that would be the first claim beyond its batch's
   quota or end.
2. A device may ask 20 times at once and then every 3 seconds; beyond that it is told to
   wait.
3. An open claim is given the credential again: the reply may have been lost. It ends
   when it is acknowledged, when the device connects to the broker, when another claim
   supersedes it, or after 7 days; then its id is spent.
4. Another id is given the same credential, or after a rotation the next one, and
   supersedes the open claim: under device-key because the signature is the board's own.
   Under product-secret only the first claim does; another has to prove a deviceSecret
   that was issued, or an operator has to have reopened the device, which counts for one
   claim.
5. What suggests two boards behind one IMEI is a doubt: under device-key an id that
   supersedes one whose reply nobody acknowledged, under product-secret a claim without
   proof, which is refused. Within an hour the sixth or the third puts the device in
   quarantine. Its broker account stays: a board that is connected is left alone.
"""

import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Protocol, TypedDict, cast

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
from pointctl.registry.issuing.board_requests import (
    Acknowledgement,
    ClaimRequest,
    SignedRequest,
)
from pointctl.registry.issuing.credentials import CredentialRow, IssuedCredential
from pointctl.registry.issuing.outcomes import ClaimClosed, RequestRefused
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
_INTERVAL = timedelta(seconds=3)
_BURST = 20
_DOUBT_WINDOW = timedelta(hours=1)
_DOUBTS_MAX = {Policy.DEVICE_KEY: 6, Policy.PRODUCT_SECRET: 3}  # then: quarantine
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


class DeviceRow(CredentialRow, Protocol):
    """A row of _READ."""

    state: State
    batch_id: int | None
    enrolled_at: datetime | None
    announced_at: datetime | None
    reopened_at: datetime | None
    busy_until: datetime | None
    doubts: int
    doubted_at: datetime | None


class _ClaimRow(Protocol):
    """A row of _READ_CLAIMS."""

    id: int
    device_id: int
    request_id: str
    state: ClaimState
    first_seen: datetime


class _Changes(TypedDict, total=False):
    """New values of a device's columns."""

    state: State
    device_name: str
    enrolled_at: datetime
    issued_at: datetime
    reopened_at: None
    busy_until: datetime
    doubts: int
    doubted_at: datetime


@dataclass(frozen=True)
class ProvenRequest:
    """A request of a registered device that was signed with its key."""

    board: devices.BoardRecord
    device_id: int
    request: SignedRequest
    seal_key: bytes = field(repr=False)


@dataclass(frozen=True)
class CredentialGranted:
    """The device is given this credential."""

    device_id: int
    credential: IssuedCredential
    is_announced: bool = False  # whether the broker knows the credential


@dataclass(frozen=True)
class PoolEmpty:
    """Its product's pool has no credential left; nothing of the claim is written."""

    reason: str


Judgement = CredentialGranted | ClaimClosed | PoolEmpty | RequestRefused


@dataclass
class _Case:
    """What a device is judged by, and what is to be written of it."""

    product: Row[*tuple[Any, ...]]  # devices.BoardRecord's
    row: DeviceRow
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    changes: _Changes = field(default_factory=_Changes)
    writes: WriteBatch = field(default_factory=WriteBatch)

    def note(self, what: str) -> None:
        """Add an entry to the device's audit."""
        self.writes.add(audit.ADD, audit.entry_values(self.row.id, what, audit.SERVER))

    def undo(self) -> None:
        """Forget what was to be written."""
        self.changes, self.writes = {}, WriteBatch()

    def all_writes(self) -> WriteBatch:
        """What is to be written, with the changes of the device."""
        if self.changes:
            values = {f"new_{name}": value for name, value in self.changes.items()}
            change = _change(frozenset(self.changes))
            self.writes.add(change, {"id_": self.row.id, **values})
        return self.writes


@dataclass(kw_only=True)
class _ClaimCase(_Case):
    """A claim, with what is stored of the device's claims."""

    request: ClaimRequest
    own: _ClaimRow | None  # the claim of this request id
    open_ids: Sequence[int]  # of the device's open claims: one, or none


def judge_all(
    connection: Connection, keys: Vault, proven: Sequence[ProvenRequest]
) -> tuple[list[Judgement], WriteBatch]:
    """Judge claims and acknowledgements, each of another device.

    The transaction has locked these devices; it still has to write what is returned.
    """
    writes = WriteBatch()
    judgements: dict[int, Judgement] = {}
    claims: list[tuple[ProvenRequest, ClaimRequest]] = []
    for each in proven:
        if isinstance(each.request, Acknowledgement):
            _acknowledge(writes, each.device_id, each.request)
            judgements[each.device_id] = ClaimClosed()
        else:
            claims.append((each, each.request))
    cases = _cases(connection, claims) if claims else []
    # In the order of batches, so that no two transactions lock them crosswise.
    for case in sorted(cases, key=lambda case: (case.row.batch_id or 0, case.row.id)):
        judgements[case.row.id] = _judge(connection, keys, case)
        writes.include(case.all_writes())
    return [judgements[each.device_id] for each in proven], writes


def find_issued(
    connection: Connection, keys: Vault, device_id: int
) -> CredentialGranted | RequestRefused | None:
    """What an open product's device is given, if it was before; None if not yet."""
    row = _read(connection, device_id)
    if row.state in REFUSED_STATES:
        return RequestRefused(REFUSED_STATES[row.state], reason=row.state.value)
    credential = credentials.current_or_next(keys, row)
    if credential is None:
        return None
    return CredentialGranted(device_id, credential, _is_announced(row))


def issue_first(
    connection: Connection, keys: Vault, board: devices.BoardRecord, device_id: int
) -> CredentialGranted | RequestRefused:
    """Issue an open product's device its credential, unless somebody was faster.

    Call it in a writing transaction. Raises NothingLeft: then it has to be undone.
    """
    found = find_issued(connection, keys, device_id)
    if found is not None:
        return found
    case = _Case(board.product, _read(connection, device_id))
    credential = _issue(connection, keys, case)
    if credential is None:
        return RequestRefused(protocol.WAITING, reason="batch closed")
    case.all_writes().make(connection)
    return CredentialGranted(device_id, credential)


def is_announced(connection: Connection, device_id: int) -> bool:
    """Whether the broker knows the credential that the device is given."""
    return _is_announced(_read(connection, device_id))


def close(connection: Connection, device_id: int, closed: ClaimState) -> None:
    """End the device's open claim as `closed`, if it has one."""
    values = {"id_": device_id, "closed": closed, "now": datetime.now(UTC)}
    connection.execute(_CLOSE, values)


def _acknowledge(writes: WriteBatch, device_id: int, request: Acknowledgement) -> None:
    """Spend the request id. A second acknowledgement changes nothing."""
    values = {
        "id_": device_id,
        "request_id_": request.request_id,
        "closed": ClaimState.ACKNOWLEDGED,
        "now": datetime.now(UTC),
    }
    writes.add(_ACKNOWLEDGE, values)


def _read(connection: Connection, device_id: int) -> DeviceRow:
    return cast(DeviceRow, connection.execute(_READ, {"ids": [device_id]}).one())


def _cases(
    connection: Connection, claims: Sequence[tuple[ProvenRequest, ClaimRequest]]
) -> list[_ClaimCase]:
    ids = devices.pad_values([proven.device_id for proven, _ in claims])
    request_ids = devices.pad_values([request.request_id for _, request in claims])
    read = cast(Sequence[DeviceRow], connection.execute(_READ, {"ids": ids}).all())
    rows = {row.id: row for row in read}
    own: dict[tuple[int, str], _ClaimRow] = {}
    open_ids: dict[int, list[int]] = {}
    values = {"ids": ids, "request_ids": request_ids}
    found = connection.execute(_READ_CLAIMS, values).all()
    for claim in cast(Sequence[_ClaimRow], found):
        own[claim.device_id, claim.request_id] = claim
        if claim.state is ClaimState.OPEN:
            open_ids.setdefault(claim.device_id, []).append(claim.id)
    return [
        _ClaimCase(
            proven.board.product,
            rows[proven.device_id],
            request=request,
            own=own.get((proven.device_id, request.request_id)),
            open_ids=open_ids.get(proven.device_id, ()),
        )
        for proven, request in claims
    ]


def _judge(connection: Connection, keys: Vault, case: _ClaimCase) -> Judgement:
    """Rules 1 and 2, and then the others."""
    row, now = case.row, case.now
    if row.state in REFUSED_STATES:
        return RequestRefused(REFUSED_STATES[row.state], reason=row.state.value)
    ahead = row.busy_until - now if row.busy_until else timedelta()
    wait = ahead - (_BURST - 1) * _INTERVAL
    if wait > timedelta():
        return RequestRefused(protocol.SLOW_DOWN, math.ceil(wait.total_seconds()))
    case.changes["busy_until"] = now + max(ahead, timedelta()) + _INTERVAL
    if case.product.source is Source.MINT:
        return _judge_id(connection, keys, case)
    try:
        with connection.begin_nested():
            return _judge_id(connection, keys, case)
    except NothingLeft as error:
        case.undo()
        return PoolEmpty(str(error))


def _judge_id(connection: Connection, keys: Vault, case: _ClaimCase) -> Judgement:
    """Rules 3 to 5."""
    row, own, now, request = case.row, case.own, case.now, case.request
    credential = credentials.current_or_next(keys, row)
    if own is not None:
        is_spent = own.state is not ClaimState.OPEN or own.first_seen < now - WINDOW
        if is_spent or credential is None:
            return RequestRefused(protocol.REPLAYED)
        case.writes.add(_ANSWER_AGAIN, {"id_": own.id, "now": now})
        return CredentialGranted(row.id, credential, _is_announced(row))
    by_secret = case.product.policy is Policy.PRODUCT_SECRET
    secrets = credentials.secrets(keys, row) if by_secret else []
    if by_secret and credential and not _has_proof(secrets, request):
        reopened = row.reopened_at and row.reopened_at > now - WINDOW
        if not reopened:
            _doubt(case, "second identity")
            return RequestRefused(protocol.ALREADY_ISSUED, reason="no proof")
        case.changes["reopened_at"] = None
    for claim_id in case.open_ids:
        case.writes.add(_SUPERSEDE, {"id_": claim_id, "now": now})
    if case.open_ids and not by_secret:
        _doubt(case, "claim superseded")
        if case.changes.get("state") is State.QUARANTINED:
            reason = "in quarantine from now on"
            return RequestRefused(protocol.WAITING, reason=reason)
    credential = credential or _issue(connection, keys, case)
    if credential is None:
        return RequestRefused(protocol.WAITING, reason="batch closed")
    claim = {"device_id": row.id, "request_id": request.request_id}
    claim.update(state=ClaimState.OPEN, answered=1, first_seen=now, last_seen=now)
    case.writes.add(_ADD, claim)
    return CredentialGranted(row.id, credential, _is_announced(row))


def _issue(connection: Connection, keys: Vault, case: _Case) -> IssuedCredential | None:
    """The device's first credential; None where its batch is closed."""
    row, now, source = case.row, case.now, case.product.source
    if row.enrolled_at is None:
        if row.batch_id and not batches.take_place(connection, row.batch_id, now):
            audit.record_once(connection, row.id, "batch closed", audit.SERVER)
            return None
        case.changes["enrolled_at"] = now
    issued = credentials.issue(connection, keys, source, row, now, case.writes)
    case.changes["state"], case.changes["issued_at"] = State.ISSUED, now
    case.changes["device_name"] = issued.device_name
    case.note("issued")
    if source is Source.POOL:
        pool.watch(connection, cast(pool.PoolState, case.product))
    return issued


def _is_announced(row: DeviceRow) -> bool:
    return row.announced_at is not None and row.next_secret is None


def _has_proof(secrets: list[str], request: ClaimRequest) -> bool:
    """Whether the request proves one of the device's secrets."""
    names = request.imei, request.product_key or "", request.request_id
    found = False
    for secret in secrets:
        expected = seal.sign(secret.encode(), "proof", *names, request.time_s)
        found |= hmac.compare_digest(expected, request.proof or "")
    return found


def _doubt(case: _Case, what: str) -> None:
    """Note a doubt; one too many within the hour puts the device in quarantine."""
    row, now, changes = case.row, case.now, case.changes
    case.note(what)
    if row.doubted_at is None or row.doubted_at < now - _DOUBT_WINDOW:
        changes["doubts"], changes["doubted_at"] = 1, now
    else:
        changes["doubts"] = row.doubts + 1
    if changes["doubts"] >= _DOUBTS_MAX[case.product.policy]:
        changes["state"] = State.QUARANTINED
        case.note("quarantined")
        _log.warning("quarantined", product_key=row.product_key, device=row.id)


@cache
def _change(names: frozenset[str]) -> Update:
    """The update of these columns of a device, from new_… values."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return update(_DEVICES).where(_DEVICES.c.id == bindparam("id_")).values(values)
