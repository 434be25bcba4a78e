"""Giving a board its credential: the same one for every request, made once."""

import hmac
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, update

from point import protocol, seal
from pointctl.registry import (
    batches,
    claims,
    credentials,
    devices,
    limits,
    mqtt_login,
    pool,
    products,
)
from pointctl.registry.credentials import Given
from pointctl.registry.database import Database
from pointctl.registry.keys import ClaimKeys
from pointctl.registry.models import Device, Policy, PoolAlarm, Standing, State
from pointctl.registry.sources import NothingLeft

_OUT = (State.REVOKED, State.RETIRED)
_ANNOUNCED = (
    update(Device)
    .where(Device.id == bindparam("id_"), Device.state.not_in(_OUT))
    .values(announced_at=bindparam("now"))
)
_NO_SIGNATURE = "0" * 64
_POOL_RETRY_S = 600  # until somebody has imported more


class BrokerAccounts(Protocol):
    """A broker that has to be told of each device before it may connect."""

    def allow(
        self, product_key: str, device_name: str, password: str, auth: str | None = None
    ) -> None:
        """Let this device in, to the topics of its scheme; again changes nothing.

        A new password takes the place of the old one. Raises if that is not certain.
        Returns or raises within seconds: a board waits.
        """

    def refuse(self, product_key: str, device_name: str) -> None:
        """End this device's connection and let it in no more; known to it or not.

        Raises if that is not certain.
        """


@dataclass(frozen=True)
class Answer:
    """What a board is answered. With a `seal_key` the config is sealed under it."""

    code: str
    config: products.DeviceConfig | None = field(default=None, repr=False)
    seal_key: bytes | None = field(default=None, repr=False)
    retry_after_s: int | None = None
    reason: str | None = None  # for the log only


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
        """The answer to what point.protocol_server.decode_request() returned.

        `address` is where the request came from, for the limits; None is not limited.
        A credential is on disk, and the broker knows it, before this returns. Raises
        DatabaseError, or what the broker raised: then the next request gets the same
        credential and tells the broker again.
        """
        imei, product_key = request["imei"], request["productKey"]
        with self._database.reading() as session:
            board = devices.look_up(session.connection(), imei, product_key)
        if board is not None and board.policy is Policy.OPEN and not request["ack"]:
            return self._open(board, request, address)
        key = self._genuine(board, request)
        if key is None:
            refused = Answer(protocol.BAD_SIGNATURE, reason=_why(board))
            return self._limited(board, request, address, refused)
        if board is None or (board.device_id is None and not board.open_batch):
            return Answer(protocol.UNKNOWN_IMEI)
        try:
            with self._database.writing() as session:
                connection = session.connection()
                if board.device_id is None:
                    board = batches.take_in(connection, board, imei)
                if board is None:
                    return Answer(protocol.UNKNOWN_IMEI)
                if request["ack"]:
                    request_id = request["requestId"]
                    claims.acknowledge(connection, board.device_id, request_id)
                    return Answer(protocol.SUCCESS)
                verdict = claims.judge(connection, self._vault, board, request)
        except NothingLeft as error:
            return self._empty(product_key, error)
        return self._told(board, verdict, key)

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
        if board is not None and board.policy is Policy.PRODUCT_SECRET:
            key = (products.secret(self._vault, board) or "").encode()
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
        per_second = board.max_failures_per_s if board else limits.PER_PRODUCT
        charged = [
            limits.of_imei(request["imei"]),
            limits.of_product(request["productKey"] or "", per_second),
        ]
        if address is not None:
            charged.append(limits.of_address(address))
        wait_s = limits.charge(self._database, charged)
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
        with self._database.reading() as session:
            connection = session.connection()
            if address and (wait_s := limits.used_up(connection, address)):
                return Answer(protocol.SLOW_DOWN, retry_after_s=wait_s)
            verdict = claims.again(connection, self._vault, board)
        if verdict is None:
            try:
                with self._database.writing() as session:
                    verdict = claims.first(session.connection(), self._vault, board)
            except NothingLeft as error:
                return self._empty(board.product_key, error)
        return self._told(board, verdict, None)

    def _told(
        self, board: devices.Board, verdict: claims.Verdict, seal_key: bytes | None
    ) -> Answer:
        given = verdict.given
        if given is None:
            return Answer(
                verdict.code,
                retry_after_s=verdict.retry_after_s,
                reason=verdict.reason,
            )
        of_product = given.product_secret or products.secret(self._vault, board)
        config = products.device_config(
            board, given.device_name, given.device_secret, of_product
        )
        if self._broker_accounts is not None and not verdict.announced:
            self._announce(self._broker_accounts, board, given, config)
        return Answer(protocol.SUCCESS, config, seal_key)

    def _empty(self, product_key: str, error: NothingLeft) -> Answer:
        """The claim was undone; what is wrong is for an operator to know."""
        with self._database.writing() as session:
            pool.raise_alarm(session.connection(), product_key, PoolAlarm.EMPTY)
        return Answer(
            protocol.POOL_EMPTY, retry_after_s=_POOL_RETRY_S, reason=str(error)
        )

    def _announce(
        self,
        broker_accounts: BrokerAccounts,
        board: devices.Board,
        given: Given,
        config: products.DeviceConfig,
    ) -> None:
        password = mqtt_login.fixed_password(config)
        with self._one_announcer:
            with self._database.reading() as session:
                connection = session.connection()
                if claims.is_announced(connection, board.device_id):
                    return  # another request did it while this one waited
            names = board.product_key, given.device_name
            broker_accounts.allow(*names, password, board.auth)
            values = {"id_": board.device_id, "now": datetime.now(UTC)}
            with self._database.writing() as session:
                connection = session.connection()
                told = connection.execute(_ANNOUNCED, values).rowcount
                if given.standing is Standing.NEXT:
                    # Such a broker knows one password: the old one is worth nothing.
                    credentials.promote(connection, board.device_id)
            if not told:  # it was revoked meanwhile
                broker_accounts.refuse(*names)


def _why(board: devices.Board | None) -> str:
    """What the operator is told of a stranger, who is told nothing."""
    if board is None:
        return "no such product, or unsigned and in no open one"
    return "not registered" if board.device_id is None else "signature"
