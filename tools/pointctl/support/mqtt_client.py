"""Connecting to a broker once, as a device does, to see what it says."""

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
from pointctl.support.signatures import Signed

# MQTT 3.1.1 §3.2.2.3, behind the number that the client library makes of each. On 1,
# another version, it tries again with MQTT 3.1.
_CONNACK = {
    0: (0, "accepted"),
    133: (2, "it does not take this client id"),
    136: (3, "the service is not available"),
    134: (4, "bad user name or password"),
    135: (5, "not authorized"),
}


@dataclass
class Outcome:
    """What the broker said. None is what it was not asked, or did not say."""

    connack: int
    meaning: str
    subscribed: bool | None = None
    published: bool | None = None  # acknowledged; MQTT 3.1.1 tells no more
    received: str | None = None  # the topic of the first message

    @property
    def refusal(self) -> str | None:
        """What it refused."""
        if self.connack:
            return f"CONNACK {self.connack}: {self.meaning}"
        return "the subscription" if self.subscribed is False else None


class Connection:
    """One connection over verified TLS; all of it within one deadline."""

    def __init__(
        self, login: Signed, host: str, port: int, ca: Path | None, deadline_s: float
    ) -> None:
        self._where = f"{host}:{port}"
        self._end = time.monotonic() + deadline_s
        self._answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._messages: queue.Queue[str | None] = queue.Queue()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, login.client_id, reconnect_on_failure=False
        )
        client.username_pw_set(login.user, login.password)
        client.tls_set_context(ssl.create_default_context(cafile=ca))
        client.connect_timeout = deadline_s
        put = self._answers.put
        client.on_connect = lambda _c, _u, _f, reason, _p: put(("connack", reason))
        client.on_subscribe = lambda _c, _u, _m, codes, _p: put(("suback", codes[0]))
        client.on_publish = lambda *_: put(("puback", None))
        client.on_message = lambda _c, _u, message: self._messages.put(message.topic)
        client.on_disconnect = self._on_disconnect
        self._client = client
        self._host, self._port = host, port

    def run(self, subscribe: str | None, publish: str | None, text: str) -> Outcome:
        """Connect, and do what is asked. Raises PointctlError where nobody answers."""
        self._open()
        self._client.loop_start()
        try:
            code, meaning = _CONNACK.get(
                self._next("connack").value, (-1, "an answer that MQTT 3.1.1 has not")
            )
            outcome = Outcome(code, meaning)
            if code == 0:
                self._try(outcome, subscribe, publish, text)
            return outcome
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

    def _try(
        self, outcome: Outcome, subscribe: str | None, publish: str | None, text: str
    ) -> None:
        if subscribe is not None:
            self._client.subscribe(subscribe, 1)
            outcome.subscribed = not self._next("suback").is_failure
        if publish is not None:
            self._client.publish(publish, text, 1)
            self._next("puback")
            outcome.published = True
        if outcome.subscribed:
            outcome.received = self._message()

    def _on_disconnect(self, *_: Any) -> None:
        self._answers.put(("end", None))
        self._messages.put(None)

    def _next(self, wanted: str) -> Any:
        """The broker's answer of this kind; others are not waited for any more."""
        name = wanted.upper()
        while True:
            try:
                kind, value = self._answers.get(timeout=self._left())
            except queue.Empty:
                raise PointctlError(f"{self._where}: no {name} in time") from None
            if kind == wanted:
                return value
            if kind == "end":
                raise PointctlError(f"{self._where} hung up instead of a {name}")

    def _message(self) -> str | None:
        try:
            return self._messages.get(timeout=self._left())
        except queue.Empty:
            return None

    def _left(self) -> float:
        return max(0.0, self._end - time.monotonic())
