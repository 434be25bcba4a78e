"""Boards at RabbitMQ, which asks the real server, set up as docs/brokers.md says."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from point import mqttauth
from pointctl.certificates import CaFiles
from pointctl.folder import DataFolder
from pointctl.registry.devices import devices, products
from pointctl.registry.issuing import lifecycle
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.storage.models import Policy, State
from tests import rabbitmq
from tests.brokers import Client, Room
from tests.host.serving import Server, answer, imei
from tests.runtimes import ROOT

SCHEMES = ("plain", "aliyun")


def told(url: str, token: str) -> tuple[str, str]:
    """The page's rabbitmq.conf and advanced.config, for this server."""
    page = (ROOT / "docs/brokers.md").read_text()
    blocks = re.findall(r"```(?:ini|erlang)\n(.*?)```", page, re.DOTALL)
    settings = next(block for block in blocks if "auth_http.user_path" in block)
    advanced = next(block for block in blocks if "rabbitmq_auth_backend_http," in block)
    settings = settings.replace("https://provision.example.com:8443", url)
    return (
        settings.replace("TOKEN", token),
        advanced.replace("/etc/rabbitmq/ca.pem", "CA"),
    )


def registry_of(path: Path) -> Database:
    """A product of each scheme, called as it, with some devices."""
    database = open_database(path)
    for auth in SCHEMES:
        settings: dict[str, Any] = {"product_key": auth, "auth": auth}
        products.add(
            database, auth, policy=Policy.OPEN, mqtt_host="mqtt.test", **settings
        )
        rows = [devices.ImportRow(n, imei(n), None) for n in range(4)]
        devices.register(database, auth, rows)
    return database


@pytest.fixture(scope="module")
def field(
    tmp_path_factory: pytest.TempPathFactory, authority: CaFiles
) -> Iterator[SimpleNamespace]:
    """A broker, the server that it asks, and the registry."""
    data = DataFolder(tmp_path_factory.mktemp("rabbitmq") / "data")
    token_file = data.path.parent / "token"
    with registry_of(data.registry) as database:
        server = Server(data.path, authority, "--mqtt-hook-token-file", token_file)
        try:
            settings = told(server.url, token_file.read_text().strip())
            files = authority.ca, authority.server, authority.server_key
            with rabbitmq.running(*files, *settings) as port:
                broker: Any = SimpleNamespace(port=port)
                room = Room(broker, authority.ca, {}, [])
                yield SimpleNamespace(room=room, database=database, server=server)
        finally:
            server.stop()


def board(field: SimpleNamespace, auth: str, serial: int = 0) -> dict[str, Any]:
    """What a board's mqtt() is given after it was issued its credential."""
    request = {"imei": imei(serial), "productKey": auth}
    config = answer(field.database, request).config
    assert config is not None
    return dict(mqttauth.settings(config, os.urandom))


def connected(field: SimpleNamespace, made: dict[str, Any]) -> Client:
    return Client(field.room, made["user"], made["password"], made["clientId"])


def state(field: SimpleNamespace, auth: str, serial: int) -> State:
    with field.database.snapshot() as session:
        found: State = devices.find(session, imei(serial), auth).state
        return found


def topics(auth: str, serial: int) -> tuple[str, str]:
    """One to publish to and a filter to hear it by."""
    start = f"{auth}/{imei(serial)}"
    if auth == "aliyun":
        start = f"/sys/{start}/thing"
    return f"{start}/event/post", f"{start}/#"


@pytest.mark.parametrize("auth", SCHEMES)
def test_a_board_is_let_in_to_its_own_topics(field: SimpleNamespace, auth: str) -> None:
    """The first connect confirms it; what it says on its topics is heard there."""
    made = board(field, auth)
    assert state(field, auth, 0) is State.ISSUED
    up, own = topics(auth, 0)
    with connected(field, made) as device:
        assert not device.refused
        assert state(field, auth, 0) is State.CONFIRMED
        assert device.subscribe(own)
        device.publish(up, "hello")
        assert device.received() == (up, b"hello")


@pytest.mark.parametrize("auth", SCHEMES)
def test_a_foreign_topic_is_refused(field: SimpleNamespace, auth: str) -> None:
    """RabbitMQ then ends the connection; nobody hears what was said."""
    up, own = topics(auth, 0)
    with connected(field, board(field, auth)) as device:
        assert device.subscribe(own)
        with connected(field, board(field, auth, 1)) as thief:
            thief.say(up, "forged")
            assert thief.is_cut()
        with connected(field, board(field, auth, 1)) as thief:
            thief.ask(own)
            assert thief.is_cut()
        device.publish(up, "real")
        assert device.received() == (up, b"real")


@pytest.mark.parametrize("auth", SCHEMES)
def test_a_stranger_is_refused(field: SimpleNamespace, auth: str) -> None:
    """Whoever has no password, a wrong one, another's name or another's session."""
    made, other = board(field, auth, 2), board(field, auth, 1)
    for wrong in (
        {"password": "wrong"},
        {"password": other["password"]},
        {"user": other["user"]},
        {"clientId": other["clientId"]},
    ):
        with connected(field, {**made, **wrong}) as stranger:
            assert stranger.refused, wrong
    with Client(field.room, None, None, made["clientId"]) as stranger:
        assert stranger.refused
    assert state(field, auth, 2) is State.ISSUED


@pytest.mark.parametrize("auth", SCHEMES)
def test_a_revoked_board_is_refused(field: SimpleNamespace, auth: str) -> None:
    """At its next connection; until then it was known."""
    made = board(field, auth, 3)
    with connected(field, made) as device:
        assert not device.refused
    lifecycle.revoke(field.database, imei(3), auth, "op")
    with connected(field, made) as device:
        assert device.refused
