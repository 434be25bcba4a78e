"""Giving a board its credential: the same one for every request, made once."""

import hmac
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import bindparam, update

from point import protocol, seal
from pointctl.registry import rate_limits
from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices import batches, devices, products
from pointctl.registry.issuing import claims, credentials, mqtt_login, pool
from pointctl.registry.issuing.credentials import Given
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
_NO_SIGNATURE = "0" * 64
_POOL_RETRY_S = 600  # until somebody has imported more


@dataclass(frozen=True)
class Answer:
    """What a board is answered. With a `seal_key` the config is sealed under it."""

    code: str
    config: products.DeviceConfig | None = field(default=None, repr=False)
    seal_key: bytes | None = field(default=None, repr=False)
    retry_after_s: int | None = None
    reason: str | None = None  # for the log only


Asked = tuple[dict[str, Any], str | None]  # a request, and where it came from
Alone = Callable[[], Answer]


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

    def answer(self, request: dict[str, Any], address: str | None = None) -> Answer:
        """The answer to what point.host.protocol_server.decode_request() returned.

        `address` is where the request came from, for the limits; None is not limited.
        A credential is on disk, and the broker knows it, before this returns. Raises
        DatabaseError, or what the broker raised: then the next request gets the same
        credential and tells the broker again.
        """
        try:
            return self._answer(request, address)
        except VaultError:
            # What was read is perhaps under a key that was dropped meanwhile, when the
            # database key was rotated twice: read it again, but only once.
            return self._answer(request, address)

    def _answer(self, request: dict[str, Any], address: str | None) -> Answer:
        (step,) = self._steps([(request, address)])
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, Answer) else step()

    def _alone(self, step: Alone, asked: Asked) -> Answer:
        """What is still to be called, and once more as answer() does it."""
        try:
            return step()
        except VaultError:
            return self._answer(*asked)

    def answer_all(self, asked: Sequence[Asked]) -> list[Answer | Alone]:
        """The same for several requests and addresses, with one transaction for all.

        What takes longer, or could not be done together, is still to be called, and
        raises as answer().
        """
        try:
            steps = self._steps(asked)
        except Exception as error:  # the database: each finds out for itself
            steps = [error for _ in asked]
        failed = [step for step in steps if isinstance(step, Exception)]
        if failed:
            # Of those that were to be written together, nothing was.
            count = len(failed)
            _log.warning("again, one by one", requests=count, exc_info=failed[0])
        return [
            self._still_to_do(step, each)
            for step, each in zip(steps, asked, strict=True)
        ]

    def _still_to_do(
        self, step: Answer | Alone | Exception, asked: Asked
    ) -> Answer | Alone:
        if isinstance(step, Answer):
            return step
        if isinstance(step, Exception):
            return partial(self.answer, *asked)
        return partial(self._alone, step, asked)

    def _steps(self, asked: Sequence[Asked]) -> list[Answer | Alone | Exception]:
        """What each comes to. Raises DatabaseError."""
        names = [(request["imei"], request["productKey"]) for request, _ in asked]
        with self._database.lookup() as connection:
            boards = devices.look_up_all(connection, names)
        steps: list[Answer | Alone | Exception] = []
        proven: dict[int, _Proven] = {}
        for board, (request, address) in zip(boards, asked, strict=True):
            step: _Proven | Answer | Alone | Exception
            try:
                step = self._admit(board, request, address)
            except Exception as error:
                step = error
            if isinstance(step, _Proven):
                proven[len(steps)] = step
                step = Answer(protocol.INTERNAL)  # what it comes to is found below
            steps.append(step)
        for place, answer in self._judged(proven).items():
            steps[place] = answer
        return steps

    def _admit(
        self, board: devices.Board | None, request: dict[str, Any], address: str | None
    ) -> "_Proven | Answer | Alone":
        """Who has proved what makes the request worth a transaction; or what else."""
        if board and board.product.policy is Policy.OPEN and not request["ack"]:
            return partial(self._open, board, request, address)
        key = self._genuine(board, request)
        if key is None:
            refused = Answer(protocol.BAD_SIGNATURE, reason=_why(board))
            return partial(self._limited, board, request, address, refused)
        if board and board.device_id is not None:
            return _Proven(board, request, key)
        if board and board.product.open_batch:
            return partial(self._taken_in, board, request, key)
        return Answer(protocol.UNKNOWN_IMEI)

    def _judged(
        self, proven: "Mapping[int, _Proven]"
    ) -> dict[int, Answer | Alone | Exception]:
        """What they come to, in one transaction: if it fails, the same for all."""
        if not proven:
            return {}
        verdicts: dict[int, claims.Verdict] = {}
        try:
            with self._database.row_locked() as connection:
                ids = sorted({each.board.device_id or 0 for each in proven.values()})
                self._database.lock(connection, table(Device), ids)
                for turn in _turns(proven):
                    asked = [(each.board, each.request) for each in turn.values()]
                    judged, writes = claims.judge_all(connection, self._vault, asked)
                    with self._database.pipelined(connection):
                        writes.make(connection)
                    verdicts.update(zip(turn, judged, strict=True))
        except Exception as error:
            return dict.fromkeys(proven, error)
        answers: dict[int, Answer | Alone | Exception] = {}
        for place, verdict in verdicts.items():
            board, key = proven[place].board, proven[place].key
            try:
                answers[place] = self._told(board, verdict, key)
            except Exception as error:
                answers[place] = error
        return answers

    def _taken_in(
        self, board: devices.Board, request: dict[str, Any], key: bytes
    ) -> Answer:
        """A board that nobody has registered, where the product takes in such."""
        with self._database.exclusive() as session:
            found = batches.take_in(session.connection(), board, request["imei"])
        if found is None:
            return Answer(protocol.UNKNOWN_IMEI)
        step = self._judged({0: _Proven(found, request, key)})[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, Answer) else step()

    def _genuine(
        self, board: devices.Board | None, request: dict[str, Any]
    ) -> bytes | None:
        """The key that signed this request or acknowledgement; None for a stranger.

        Whatever is wrong, there is one derivation and one comparison, and nothing is
        written: the time it takes tells a stranger nothing either.
        """
        product_key, request_id = request["productKey"] or "", request["requestId"]
        kind, time, given = "", request["time"], request["sign"]
        if request["ack"]:
            kind, time, given = "ack", 0, request["ack"]
        key = self._keys.derive(product_key, request["imei"])
        if board is not None and board.product.policy is Policy.PRODUCT_SECRET:
            key = (products.secret(self._vault, board.product) or "").encode()
        names = request["imei"], product_key, request_id or ""
        same = hmac.compare_digest(
            seal.sign(key, kind, *names, time), given or _NO_SIGNATURE
        )
        return key if same and request_id else None

    def _limited(
        self,
        board: devices.Board | None,
        request: dict[str, Any],
        address: str | None,
        refused: Answer,
    ) -> Answer:
        """A refusal to whoever proved nothing, or the word to slow down."""
        per_second = (
            board.product.max_failures_per_s if board else rate_limits.PER_PRODUCT
        )
        charged = [
            rate_limits.of_imei(request["imei"]),
            rate_limits.of_product(request["productKey"] or "", per_second),
        ]
        if address is not None:
            charged.append(rate_limits.of_address(address))
        wait_s = rate_limits.charge(self._database, charged)
        if wait_s is None:
            return refused
        return Answer(protocol.SLOW_DOWN, retry_after_s=wait_s, reason=refused.reason)

    def _open(
        self, board: devices.Board, request: dict[str, Any], address: str | None
    ) -> Answer:
        """Version 1: whoever knows the IMEI, and has not guessed too many."""
        if board.device_id is None:
            refused = Answer(protocol.UNKNOWN_IMEI)
            return self._limited(board, request, address, refused)
        with self._database.lookup() as connection:
            if address and (wait_s := rate_limits.used_up(connection, address)):
                return Answer(protocol.SLOW_DOWN, retry_after_s=wait_s)
            verdict = claims.again(connection, self._vault, board)
        if verdict is None:
            try:
                with self._database.exclusive() as session:
                    verdict = claims.first(session.connection(), self._vault, board)
            except NothingLeft as error:
                return self._empty(board, str(error))
        step = self._told(board, verdict, None)
        return step if isinstance(step, Answer) else step()

    def _told(
        self, board: devices.Board, verdict: claims.Verdict, seal_key: bytes | None
    ) -> Answer | Alone:
        given = verdict.given
        if verdict.code == protocol.POOL_EMPTY:
            return partial(self._empty, board, verdict.reason)
        if given is None:
            return Answer(
                verdict.code,
                retry_after_s=verdict.retry_after_s,
                reason=verdict.reason,
            )
        product = board.product
        of_product = given.product_secret or products.secret(self._vault, product)
        config = products.device_config(
            product, given.device_name, given.device_secret, of_product
        )
        answer = Answer(protocol.SUCCESS, config, seal_key)
        if self._broker_accounts is None or verdict.announced:
            return answer
        return partial(self._announced, self._broker_accounts, board, given, answer)

    def _empty(self, board: devices.Board, reason: str | None) -> Answer:
        """The claim was undone; what is wrong is for an operator to know."""
        product_key = board.product.product_key
        with self._database.exclusive() as session:
            pool.raise_alarm(session.connection(), product_key, PoolAlarm.EMPTY)
        return Answer(protocol.POOL_EMPTY, retry_after_s=_POOL_RETRY_S, reason=reason)

    def _announced(
        self,
        broker_accounts: BrokerAccounts,
        board: devices.Board,
        given: Given,
        answer: Answer,
    ) -> Answer:
        """The answer, once the broker knows the device."""
        assert answer.config is not None
        assert board.device_id is not None
        product = board.product
        password = mqtt_login.fixed_password(answer.config)
        with self._one_announcer:
            with self._database.lookup() as connection:
                if claims.is_announced(connection, board.device_id):
                    return answer  # another request did it while this one waited
            names = product.product_key, given.device_name
            broker_accounts.allow(*names, password, product.auth)
            values = {"id_": board.device_id, "now": datetime.now(UTC)}
            with self._database.row_locked() as connection:
                self._database.lock(connection, table(Device), [board.device_id])
                told = connection.execute(_ANNOUNCED, values).rowcount
                if given.standing is CredentialSlot.NEXT:
                    # Such a broker knows one password: the old one is worth nothing.
                    credentials.promote(connection, board.device_id)
            if not told:  # it was revoked meanwhile
                broker_accounts.refuse(*names)
        return answer


@dataclass(frozen=True)
class _Proven:
    """A request of a registered device that was signed with its key."""

    board: devices.Board
    request: dict[str, Any]
    key: bytes = field(repr=False)


def _turns(proven: Mapping[int, _Proven]) -> list[dict[int, _Proven]]:
    """In as few turns as can be, each device once a turn, in the order asked."""
    turns: list[dict[int, _Proven]] = []
    met: Counter[int | None] = Counter()
    for place, each in proven.items():
        turn = met[each.board.device_id]
        met[each.board.device_id] += 1
        if turn == len(turns):
            turns.append({})
        turns[turn][place] = each
    return turns


def _why(board: devices.Board | None) -> str:
    """What the operator is told of a stranger, who is told nothing."""
    if board is None:
        return "no such product, or unsigned and in no open one"
    return "not registered" if board.device_id is None else "signature"
