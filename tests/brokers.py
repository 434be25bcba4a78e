"""Brokers and clients for tests: real processes, TLS verified with a throw-away CA."""

import json
import queue
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import paho.mqtt.client as mqtt
import trustme
from paho.mqtt.enums import CallbackAPIVersion

from point.host import protocol_server
from pointctl.broker import BrokerProcess, embedded, mosquitto
from pointctl.broker.process import HOST, free_port
from pointctl.registry.devices import devices, products
from pointctl.registry.issuing.issuer import Issuer
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.storage.models import Policy
from tests.runtimes import need

SECONDS = 5.0
PRODUCT = "pk1"
IMEIS = {"dev1": "490154203237518", "dev2": "356938035643809"}


@dataclass(frozen=True)
class Certificates:
    """An authority and a server certificate for this machine."""

    ca: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Write PEM files into `folder`."""
    files = Certificates(
        folder / "ca.pem", folder / "server.pem", folder / "server.key"
    )
    authority = trustme.CA()
    server = authority.issue_cert(HOST, "localhost")
    authority.cert_pem.write_to_path(files.ca)
    server.cert_chain_pems[0].write_to_path(files.certificate)
    server.private_key_pem.write_to_path(files.key)
    return files


@dataclass
class Room:
    """A running broker, and the secrets of the two devices that it knows."""

    broker: BrokerProcess
    ca_file: Path
    secrets: dict[str, str]
    lines: list[str]

    def wait_for_line(self, *parts: str) -> str:
        """The first line with all `parts` that the broker has printed or will soon."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if all(part in line for part in parts):
                    return line
            time.sleep(0.01)
        raise AssertionError(f"no line with {parts}")


@contextmanager
def mosquitto_room(folder: Path) -> Iterator[Room]:
    """A mosquitto that was told of both devices."""
    program = need("mosquitto")
    files = make_certificates(folder)
    lines: list[str] = []
    broker = mosquitto.broker(
        program,
        folder / "broker",
        port=free_port(),
        certificate=files.certificate,
        key=files.key,
        ca_file=files.ca,
        on_line=lines.append,
    )
    room = Room(broker, files.ca, {name: f"secret of {name}" for name in IMEIS}, lines)
    with running(broker):
        accounts = mosquitto.MosquittoAccounts(
            HOST, broker.port, files.ca, broker.login_file
        )
        try:
            for name, secret in room.secrets.items():
                accounts.allow(PRODUCT, name, secret)
        finally:
            accounts.close()
        yield room


def issued_secret(database: Database, imei: str) -> str:
    """The deviceSecret of a device of PRODUCT, whose boards ask unsigned."""
    request = json.dumps({"imei": imei, "productKey": PRODUCT}).encode()
    issuer = Issuer(database, ClaimKeys(bytes(32)))
    config = issuer.answer(protocol_server.decode_request(request)).config
    assert config is not None
    return str(config["device"]["deviceSecret"])


@contextmanager
def embedded_room(folder: Path) -> Iterator[Room]:
    """An embedded broker over a registry that has issued both devices."""
    files = make_certificates(folder)
    registry = folder / "registry.sqlite"
    secrets = {}
    with open_database(registry) as database:
        products.add(
            database, "Test", policy=Policy.OPEN, mqtt_host=HOST, product_key=PRODUCT
        )
        rows = [devices.checked_row(1, imei, name) for name, imei in IMEIS.items()]
        devices.register(database, PRODUCT, rows)
        for name, imei in IMEIS.items():
            secrets[name] = issued_secret(database, imei)
    lines: list[str] = []
    broker = embedded.broker(
        folder / "broker",
        port=free_port(),
        certificate=files.certificate,
        key=files.key,
        ca_file=files.ca,
        registry=registry,
        on_line=lines.append,
    )
    with running(broker):
        yield Room(broker, files.ca, secrets, lines)


@contextmanager
def running(broker: BrokerProcess) -> Iterator[None]:
    """Start `broker`, and stop it whatever happens."""
    broker.start()
    try:
        yield
    finally:
        broker.stop()


class Client:
    """A device or an operator, over verified TLS."""

    def __init__(
        self,
        room: Room,
        username: str | None,
        password: str | None,
        client_id: str = "",
        *,
        clean: bool = True,
        will: str | None = None,
    ) -> None:
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._events: queue.Queue[Any] = queue.Queue()
        self._mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=clean,
            reconnect_on_failure=False,
        )
        self._mqtt.username_pw_set(username, password)
        self._mqtt.tls_set_context(ssl.create_default_context(cafile=room.ca_file))
        if will:
            self._mqtt.will_set(will, b"will")
        self._mqtt.on_connect = lambda _c, _u, _f, reason, _p: self._events.put(reason)
        self._mqtt.on_subscribe = lambda _c, _u, _m, codes, _p: self._events.put(codes)
        self._mqtt.on_publish = lambda _c, _u, mid, *_: self._events.put(mid)
        self._mqtt.on_message = lambda _c, _u, m: self.messages.put(
            (m.topic, bytes(m.payload))
        )
        self._mqtt.connect(HOST, room.broker.port)
        self._mqtt.loop_start()
        self.refused = bool(self._events.get(timeout=SECONDS).is_failure)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def subscribe(self, topic: str) -> bool:
        """Whether the broker granted the subscription."""
        self._mqtt.subscribe(topic)
        return not self._events.get(timeout=SECONDS)[0].is_failure

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the acknowledgement."""
        self._mqtt.publish(topic, payload, qos=1, retain=retain)
        self._events.get(timeout=SECONDS)

    def say(self, topic: str, payload: str) -> None:
        """Publish, and wait for nothing."""
        self._mqtt.publish(topic, payload, qos=1)

    def ask(self, topic: str) -> None:
        """Subscribe, and wait for nothing."""
        self._mqtt.subscribe(topic)

    def received(self) -> tuple[str, bytes]:
        """The next message."""
        return self.messages.get(timeout=SECONDS)

    def is_cut(self) -> bool:
        """Whether the broker ends the connection within a moment."""
        deadline = time.monotonic() + SECONDS
        while self._mqtt.is_connected() and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self._mqtt.is_connected()

    def cut(self) -> None:
        """Go without a DISCONNECT, so that the will is sent."""
        if sock := cast(socket.socket | None, self._mqtt.socket()):
            sock.shutdown(socket.SHUT_RDWR)
        self._mqtt.loop_stop()
