"""The person at the other end, who reads what boards publish and sends a message."""

import socket
import ssl
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from pointctl.broker.login import read_login
from pointctl.demo.timeline import Timeline
from pointctl.errors import PointctlError

_DEADLINE_S = 10


class DemoOperator:
    """A context: connected to the broker as its operator."""

    def __init__(
        self, port: int, ca_file: Path, login_file: Path, timeline: Timeline
    ) -> None:
        login = read_login(login_file)
        self._port = port
        self._timeline = timeline
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "operator")
        self._client.username_pw_set(login.username, login.password)
        self._client.tls_set_context(ssl.create_default_context(cafile=ca_file))
        self._client.on_socket_open = _send_at_once
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._client.subscribe("+/+/up", 1)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, topic: str, message: str) -> None:
        """Publish, and return when the broker has acknowledged it."""
        self._timeline.add("host", "sends", f"{message!r} to {topic}")
        sent = self._client.publish(topic, message, qos=1)
        sent.wait_for_publish(_DEADLINE_S)
        if not sent.is_published():
            raise PointctlError("the broker did not take the operator's message")

    def _on_subscribe(self, *_: Any) -> None:
        self._timeline.add("host", "listens", "to what boards publish")

    def _on_message(
        self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage
    ) -> None:
        text = message.payload.decode(errors="replace")
        self._timeline.add("host", "receives", f"{text!r} on {message.topic}")


def _send_at_once(_client: mqtt.Client, _userdata: Any, opened: Any) -> None:
    """Turn Nagle's algorithm off: it delays a small packet by up to 40 ms."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
