"""Connecting to a broker once, as a device does, to see what it answers."""

import queue
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from pointctl.errors import PointctlError
from pointctl.support.signatures import SignedLogin

# MQTT 3.1.1 §3.2.2.3, by the number that the client library makes of each. On 1,
# another version, the library tries again with MQTT 3.1.
_CONNACK = {
    0: (0, "accepted"),
    133: (2, "the client id is refused"),
    136: (3, "the service is not available"),
    134: (4, "bad user name or password"),
    135: (5, "not authorized"),
}


@dataclass
class BrokerAnswers:
    """What the broker answered. None: it was not asked, or did not answer."""

    connack: int
    meaning: str
    subscribed: bool | None = None
    published: bool | None = None  # acknowledged; MQTT 3.1.1 says no more
    received: str | None = None  # the topic of the first message

    @property
    def refusal(self) -> str | None:
        """What the broker refused; None if nothing."""
        if self.connack:
            return f"CONNACK {self.connack}: {self.meaning}"
        return "the subscription" if self.subscribed is False else None


class DeviceConnection:
    """One connection over verified TLS, within one deadline."""

    def __init__(
        self,
        login: SignedLogin,
        host: str,
        port: int,
        ca: Path | None,
        deadline_s: float,
    ) -> None:
        self._where = f"{host}:{port}"
        self._end = time.monotonic() + deadline_s
        self._queue: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._messages: queue.Queue[str | None] = queue.Queue()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, login.client_id, reconnect_on_failure=False
        )
        client.username_pw_set(login.user, login.password)
        client.tls_set_context(ssl.create_default_context(cafile=ca))
        client.connect_timeout = deadline_s
        put = self._queue.put
        client.on_connect = lambda _c, _u, _f, reason, _p: put(("connack", reason))
        client.on_subscribe = lambda _c, _u, _m, codes, _p: put(("suback", codes[0]))
        client.on_publish = lambda *_: put(("puback", None))
        client.on_message = lambda _c, _u, message: self._messages.put(message.topic)
        client.on_disconnect = self._on_disconnect
        self._client = client
        self._host, self._port = host, port

    def run(
        self, subscribe: str | None, publish: str | None, text: str
    ) -> BrokerAnswers:
        """Connect, subscribe and publish. Raises PointctlError where nobody answers."""
        self._open()
        self._client.loop_start()
        try:
            code, meaning = _CONNACK.get(
                self._next("connack").value,
                (-1, "an answer that MQTT 3.1.1 does not know"),
            )
            answers = BrokerAnswers(code, meaning)
            if code == 0:
                self._use(answers, subscribe, publish, text)
            return answers
        finally:
            self._client.disconnect()
            self._client.loop_stop()

    def _open(self) -> None:
        try:
            self._client.connect(self._host, self._port)
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate is refused: {error.verify_message}"
            raise PointctlError(f"{self._where}: {why}") from error
        except socket.gaierror as error:
            raise PointctlError(f"{self._host} does not resolve") from error
        except OSError as error:  # TLS errors, too
            raise PointctlError(f"{self._where}: {error.strerror or error}") from error

    def _use(
        self,
        answers: BrokerAnswers,
        subscribe: str | None,
        publish: str | None,
        text: str,
    ) -> None:
        if subscribe is not None:
            self._client.subscribe(subscribe, 1)
            answers.subscribed = not self._next("suback").is_failure
        if publish is not None:
            self._client.publish(publish, text, 1)
            self._next("puback")
            answers.published = True
        if answers.subscribed:
            answers.received = self._next_message()

    def _on_disconnect(self, *_: Any) -> None:
        self._queue.put(("end", None))
        self._messages.put(None)

    def _next(self, wanted: str) -> Any:
        """The broker's next answer of this kind; others before it are dropped."""
        name = wanted.upper()
        while True:
            try:
                kind, value = self._queue.get(timeout=self._left_s())
            except queue.Empty:
                raise PointctlError(f"{self._where}: no {name} in time") from None
            if kind == wanted:
                return value
            if kind == "end":
                raise PointctlError(
                    f"{self._where} closed the connection instead of a {name}"
                )

    def _next_message(self) -> str | None:
        try:
            return self._messages.get(timeout=self._left_s())
        except queue.Empty:
            return None

    def _left_s(self) -> float:
        return max(0.0, self._end - time.monotonic())
