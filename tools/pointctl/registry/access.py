"""Giving a board its credential: the same one for every request, made once."""

import hmac
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, select, update

from point import protocol, seal
from pointctl.registry import claims, devices, mqtt_login, products
from pointctl.registry.database import Database
from pointctl.registry.keys import ClaimKeys
from pointctl.registry.models import Credential, Device, Policy, State

_LOCK_AND_READ = (
    select(Device.state, Credential.device_secret)
    .join_from(Device, Credential, isouter=True)
    .where(Device.id == bindparam("id_"))
    .with_for_update(of=Device)
)
_ANNOUNCED = (
    update(Device)
    .where(Device.id == bindparam("id_"), Device.state != State.REVOKED)
    .values(announced_at=bindparam("now"))
)
_NO_SIGNATURE = "0" * 64
_REFUSED_STATES = {
    State.REVOKED: protocol.REVOKED,
    State.QUARANTINED: protocol.WAITING,
}


class BrokerAccounts(Protocol):
    """A broker that has to be told of each device before it may connect."""

    def allow(
        self, product_key: str, device_name: str, password: str, auth: str | None = None
    ) -> None:
        """Let this device in, to the topics of its scheme; again changes nothing.

        Raises if that is not certain. Returns or raises within seconds: a board waits.
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
        self._keys = keys
        self._broker_accounts = broker_accounts
        self._one_announcer = threading.Lock()  # a broker's client may know no threads

    def answer(self, request: dict[str, Any]) -> Answer:
        """The answer to what point.protocol_server.decode_request() returned.

        A credential is on disk, and the broker knows it, before this returns. Raises
        DatabaseError, or what the broker raised: then the next request gets the same
        credential and tells the broker again.
        """
        imei, product_key = request["imei"], request["productKey"]
        with self._database.reading() as session:
            board = devices.look_up(session.connection(), imei, product_key)
        if board is not None and board.policy is Policy.OPEN and not request["ack"]:
            return self._open(board)
        key = self._genuine(board, request)
        if key is None:
            return Answer(protocol.BAD_SIGNATURE, reason=_why(board))
        if board is None or board.device_id is None:
            return Answer(protocol.UNKNOWN_IMEI)
        with self._database.writing() as session:
            connection = session.connection()
            if request["ack"]:
                claims.acknowledge(connection, board.device_id, request["requestId"])
                return Answer(protocol.SUCCESS)
            verdict = claims.judge(connection, board, request)
        if verdict.secret is None:
            return Answer(
                verdict.code,
                retry_after_s=verdict.retry_after_s,
                reason=verdict.reason,
            )
        return self._given(board, verdict.secret, verdict.announced, key)

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
            key = board.product_secret.encode()
        names = request["imei"], product_key, request_id or ""
        same = hmac.compare_digest(
            seal.sign(key, kind, *names, time), given or _NO_SIGNATURE
        )
        return key if same and request_id else None

    def _open(self, board: devices.Board) -> Answer:
        """Version 1: whoever knows the IMEI."""
        if board.device_id is None:
            return Answer(protocol.UNKNOWN_IMEI)
        secret = board.device_secret
        if board.state in _REFUSED_STATES:
            return Answer(_REFUSED_STATES[board.state])
        if secret is None:
            secret = self._mint(board.device_id)
        return self._given(board, secret, board.announced_at is not None, None)

    def _mint(self, device_id: int) -> str:
        """The device's secret, made now unless another request was faster."""
        with self._database.writing() as session:
            connection = session.connection()
            row = connection.execute(_LOCK_AND_READ, {"id_": device_id}).one()
            if row.device_secret is not None:
                return str(row.device_secret)
            changes: dict[str, Any] = {}
            secret = claims.mint(connection, device_id, datetime.now(UTC), changes)
            connection.execute(
                update(Device).where(Device.id == device_id).values(changes)
            )
        return secret

    def _given(
        self, board: devices.Board, secret: str, announced: bool, seal_key: bytes | None
    ) -> Answer:
        config = products.device_config(board, board.device_name, secret)
        if self._broker_accounts is not None and not announced:
            self._announce(self._broker_accounts, board, config)
        return Answer(protocol.SUCCESS, config, seal_key)

    def _announce(
        self,
        broker_accounts: BrokerAccounts,
        board: devices.Board,
        config: products.DeviceConfig,
    ) -> None:
        password = mqtt_login.fixed_password(config)
        with self._one_announcer:
            with self._database.reading() as session:
                announced_at = session.scalar(
                    select(Device.announced_at).where(Device.id == board.device_id)
                )
            if announced_at is not None:
                return  # another request did it while this one waited
            names = board.product_key, board.device_name
            broker_accounts.allow(*names, password, board.auth)
            values = {"id_": board.device_id, "now": datetime.now(UTC)}
            with self._database.writing() as session:
                told = session.connection().execute(_ANNOUNCED, values).rowcount
            if not told:  # it was revoked meanwhile
                broker_accounts.refuse(*names)


def _why(board: devices.Board | None) -> str:
    """What the operator is told of a stranger, who is told nothing."""
    if board is None:
        return "no such product, or unsigned and in no open one"
    return "not registered" if board.device_id is None else "signature"
