"""Giving a board its credential: the same one for every request, made once.

Each request takes one way: it is looked up, admitted by who signed it, judged by the
rules of claims.py, and given an outcome. Requests that come together share the look-up
and the transaction. What takes longer, or failed among the others, leaves the way as
Deferred, and finish() brings it to its end.
"""

import hmac
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import bindparam, update

from point import protocol, seal
from pointctl.registry import rate_limits
from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices import batches, devices, products
from pointctl.registry.issuing import claims, credentials, mqtt_login, pool
from pointctl.registry.issuing.board_requests import (
    Acknowledgement,
    BoardRequest,
    OpenRequest,
    SignedRequest,
)
from pointctl.registry.issuing.claims import (
    CredentialGranted,
    Judgement,
    PoolEmpty,
    ProvenRequest,
)
from pointctl.registry.issuing.outcomes import (
    CredentialIssued,
    Deferred,
    FinalOutcome,
    Outcome,
    RequestRefused,
)
from pointctl.registry.issuing.sources import NothingLeft
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import (
    CredentialSlot,
    Device,
    Policy,
    PoolAlarm,
    State,
    table,
)
from pointctl.registry.storage.vault import VaultError

_log = structlog.get_logger()

_OUT = (State.REVOKED, State.RETIRED)
_ANNOUNCED = (
    update(Device)
    .where(Device.id == bindparam("id_"), Device.state.not_in(_OUT))
    .values(announced_at=bindparam("now"))
)
_POOL_RETRY_S = 600  # until somebody has imported more

_Found = TypeVar("_Found")


class Issuer:
    """Issues credentials from one registry. Threads may share it."""

    def __init__(
        self,
        database: Database,
        keys: ClaimKeys,
        broker_accounts: BrokerAccounts | None = None,
    ) -> None:
        self._database = database
        self._vault = database.vault
        self._keys = keys
        self._broker_accounts = broker_accounts
        self._one_announcer = threading.Lock()  # a broker's client may know no threads

    def answer(self, request: BoardRequest) -> FinalOutcome:
        """Answer one request. Raises as finish()."""
        (outcome,) = self.answer_together([request])
        return self.finish(outcome)

    def answer_together(self, requests: Sequence[BoardRequest]) -> list[Outcome]:
        """Answer several requests, with one transaction for all that are proven.

        Credentials are on disk before this returns. It raises nothing: a request that
        failed among the others is Deferred.
        """
        names = [(request.imei, request.product_key) for request in requests]
        try:
            with self._database.lookup() as connection:
                boards = devices.look_up_all(connection, names)
        except Exception as error:
            return [*self._one_by_one(requests, error)]
        outcomes: dict[int, Outcome] = {}
        proven: dict[int, ProvenRequest] = {}
        for place, request in enumerate(requests):
            admit = partial(self._admit, boards[place], request)
            admitted = self._attempt(request, admit)
            if isinstance(admitted, ProvenRequest):
                proven[place] = admitted
            else:
                outcomes[place] = admitted
        if proven:
            decided = self._decide_together(list(proven.values()))
            outcomes.update(zip(proven, decided, strict=True))
        return [outcomes[place] for place in range(len(requests))]

    def finish(self, outcome: Outcome) -> FinalOutcome:
        """Do what a deferred outcome still needs.

        A credential is on disk, and the broker knows it, before this returns. Raises
        DatabaseError, VaultError, or what the broker raised: then the next request gets
        the same credential and tells the broker again.
        """
        if not isinstance(outcome, Deferred):
            return outcome
        try:
            return outcome.work()
        except VaultError:
            # What was read may be under a key that was dropped meanwhile, when the
            # database key was rotated twice: read it again, but only once.
            return self._answer_alone(outcome.request)

    def _answer_alone(self, request: BoardRequest) -> FinalOutcome:
        """Answer one request to its end, with nothing deferred."""
        with self._database.lookup() as connection:
            board = devices.look_up(connection, request.imei, request.product_key)
        admitted = self._admit(board, request)
        if isinstance(admitted, ProvenRequest):
            return self._decide_alone(admitted)
        return _carry_out(admitted)

    def _attempt(
        self, request: BoardRequest, work: Callable[[], _Found]
    ) -> _Found | Deferred:
        """What work() returns; if it fails, the request is answered by itself."""
        try:
            return work()
        except Exception as error:
            return self._one_by_one([request], error)[0]

    def _one_by_one(
        self, requests: Sequence[BoardRequest], error: Exception
    ) -> list[Deferred]:
        """Have each of these answered by itself; each finds out whether it fails."""
        _log.warning("again, one by one", requests=len(requests), exc_info=error)
        return [Deferred(each, partial(self._answer_alone, each)) for each in requests]

    def _admit(
        self, board: devices.BoardRecord | None, request: BoardRequest
    ) -> ProvenRequest | Outcome:
        """Who has proved what makes the request worth a transaction; or its outcome."""
        is_acknowledgement = isinstance(request, Acknowledgement)
        if board and board.product.policy is Policy.OPEN and not is_acknowledgement:
            return Deferred(request, partial(self._answer_open, board, request))
        key = self._signing_key(board, request)
        if key is None or isinstance(request, OpenRequest):
            refused = RequestRefused(protocol.BAD_SIGNATURE, reason=_why(board))
            refuse = partial(self._refuse_unproven, board, request, refused)
            return Deferred(request, refuse)
        if board and board.device_id is not None:
            return ProvenRequest(board, board.device_id, request, key)
        if board and board.product.open_batch:
            register = partial(self._auto_register, board, request, key)
            return Deferred(request, register)
        return RequestRefused(protocol.UNKNOWN_IMEI)

    def _signing_key(
        self, board: devices.BoardRecord | None, request: BoardRequest
    ) -> bytes | None:
        """The key that signed this request; None for a stranger.

        Whatever is wrong, there is one derivation and one comparison, and nothing is
        written: the time it takes tells a stranger nothing either.
        """
        product_key, request_id = request.product_key or "", request.request_id
        kind, time_s = "", request.time_s
        if isinstance(request, Acknowledgement):
            kind, time_s = "ack", 0
        key = self._keys.derive(product_key, request.imei)
        if board is not None and board.product.policy is Policy.PRODUCT_SECRET:
            key = (products.decrypt_secret(self._vault, board.product) or "").encode()
        names = request.imei, product_key, request_id
        expected = seal.sign(key, kind, *names, time_s)
        is_same = hmac.compare_digest(expected, request.signature)
        return key if is_same and request_id else None

    def _decide_together(self, proven: Sequence[ProvenRequest]) -> list[Outcome]:
        """The outcomes of requests of one batch."""
        try:
            judgements = self._judge(proven)
        except Exception as error:  # then nothing of them was written
            return [*self._one_by_one([each.request for each in proven], error)]
        return [
            self._attempt(
                each.request,
                partial(
                    self._outcome, each.request, each.board, judgement, each.seal_key
                ),
            )
            for each, judgement in zip(proven, judgements, strict=True)
        ]

    def _decide_alone(self, proven: ProvenRequest) -> FinalOutcome:
        (judgement,) = self._judge([proven])
        request, board = proven.request, proven.board
        return _carry_out(self._outcome(request, board, judgement, proven.seal_key))

    def _judge(self, proven: Sequence[ProvenRequest]) -> list[Judgement]:
        """Judge requests in one transaction: all is written, or nothing."""
        judgements: dict[int, Judgement] = {}
        with self._database.row_locked() as connection:
            ids = sorted({each.device_id for each in proven})
            self._database.lock(connection, table(Device), ids)
            for turn in _turns(proven):
                judged, writes = claims.judge_all(
                    connection, self._vault, [proven[place] for place in turn]
                )
                with self._database.pipelined(connection):
                    writes.make(connection)
                judgements.update(zip(turn, judged, strict=True))
        return [judgements[place] for place in range(len(proven))]

    def _outcome(
        self,
        request: BoardRequest,
        board: devices.BoardRecord,
        judgement: Judgement,
        seal_key: bytes | None,
    ) -> Outcome:
        """What a judgement means for the board."""
        if isinstance(judgement, PoolEmpty):
            refuse = partial(self._refuse_for_empty_pool, board, judgement.reason)
            return Deferred(request, refuse)
        if not isinstance(judgement, CredentialGranted):
            return judgement
        credential = judgement.credential
        of_product = credential.product_secret
        if of_product is None:
            of_product = products.decrypt_secret(self._vault, board.product)
        config = products.build_device_config(
            board.product, credential.device_name, credential.device_secret, of_product
        )
        issued = CredentialIssued(config, seal_key)
        if self._broker_accounts is None or judgement.is_announced:
            return issued
        accounts = self._broker_accounts
        announce = partial(self._announce, accounts, board, judgement, issued)
        return Deferred(request, announce)

    def _answer_open(
        self, board: devices.BoardRecord, request: BoardRequest
    ) -> FinalOutcome:
        """Version 1: whoever knows the IMEI, and has not guessed too many."""
        if board.device_id is None:
            refused = RequestRefused(protocol.UNKNOWN_IMEI)
            return self._refuse_unproven(board, request, refused)
        judgement: Judgement | None
        with self._database.lookup() as connection:
            if request.address is not None:
                limits = [rate_limits.address_limit(request.address)]
                if wait_s := rate_limits.wait_s(connection, limits):
                    return RequestRefused(protocol.SLOW_DOWN, wait_s)
            judgement = claims.find_issued(connection, self._vault, board.device_id)
        if judgement is None:
            try:
                with self._database.exclusive() as session:
                    judgement = claims.issue_first(
                        session.connection(), self._vault, board, board.device_id
                    )
            except NothingLeft as error:
                judgement = PoolEmpty(str(error))
        return _carry_out(self._outcome(request, board, judgement, None))

    def _auto_register(
        self, board: devices.BoardRecord, request: SignedRequest, key: bytes
    ) -> FinalOutcome:
        """Register a board that nobody has, where the product registers such boards."""
        with self._database.exclusive() as session:
            found = batches.auto_register(session.connection(), board, request.imei)
        if found is None or found.device_id is None:
            return RequestRefused(protocol.UNKNOWN_IMEI)
        return self._decide_alone(ProvenRequest(found, found.device_id, request, key))

    def _refuse_unproven(
        self,
        board: devices.BoardRecord | None,
        request: BoardRequest,
        refused: RequestRefused,
    ) -> RequestRefused:
        """Count a failure of somebody who proved nothing, and refuse or slow down."""
        per_second = (
            board.product.max_failures_per_s if board else rate_limits.PER_PRODUCT
        )
        charged = [
            rate_limits.imei_limit(request.imei),
            rate_limits.product_limit(request.product_key or "", per_second),
        ]
        if request.address is not None:
            charged.append(rate_limits.address_limit(request.address))
        wait_s = rate_limits.charge(self._database, charged)
        if wait_s is None:
            return refused
        return RequestRefused(protocol.SLOW_DOWN, wait_s, refused.reason)

    def _refuse_for_empty_pool(
        self, board: devices.BoardRecord, reason: str
    ) -> RequestRefused:
        """The claim was undone; an operator has to fill the pool."""
        product_key = board.product.product_key
        with self._database.exclusive() as session:
            pool.raise_alarm(session.connection(), product_key, PoolAlarm.EMPTY)
        return RequestRefused(protocol.POOL_EMPTY, _POOL_RETRY_S, reason)

    def _announce(
        self,
        broker_accounts: BrokerAccounts,
        board: devices.BoardRecord,
        granted: CredentialGranted,
        issued: CredentialIssued,
    ) -> CredentialIssued:
        """Tell the broker of the device before the board has its credential."""
        product, device_id = board.product, granted.device_id
        password = mqtt_login.fixed_password(issued.config)
        with self._one_announcer:
            with self._database.lookup() as connection:
                if claims.is_announced(connection, device_id):
                    return issued  # another request did it while this one waited
            names = product.product_key, granted.credential.device_name
            broker_accounts.allow(*names, password, product.auth)
            values = {"id_": device_id, "now": datetime.now(UTC)}
            with self._database.row_locked() as connection:
                self._database.lock(connection, table(Device), [device_id])
                is_noted = connection.execute(_ANNOUNCED, values).rowcount
                if granted.credential.slot is CredentialSlot.NEXT:
                    # Such a broker knows one password: the old one is worth nothing.
                    credentials.promote(connection, device_id)
            if not is_noted:  # it was revoked meanwhile
                broker_accounts.refuse(*names)
        return issued


def _carry_out(outcome: Outcome) -> FinalOutcome:
    return outcome.work() if isinstance(outcome, Deferred) else outcome


def _turns(proven: Sequence[ProvenRequest]) -> list[list[int]]:
    """The places of requests in turns, as few as can be: each device once a turn."""
    turns: list[list[int]] = []
    requests_of: Counter[int] = Counter()
    for place, each in enumerate(proven):
        turn = requests_of[each.device_id]
        requests_of[each.device_id] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(place)
    return turns


def _why(board: devices.BoardRecord | None) -> str:
    """Why a stranger is one: for the operator's log, and never in the reply."""
    if board is None:
        return "no such product, or unsigned and in no open one"
    return "not registered" if board.device_id is None else "signature"
