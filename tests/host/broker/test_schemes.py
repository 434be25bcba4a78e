"""Boards of every scheme at real brokers: they get in, and to their own topics."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from point import mqttauth
from pointctl.broker import embedded
from pointctl.broker.login import read_login
from pointctl.broker.mosquitto import MosquittoAccounts
from pointctl.broker.process import HOST, free_port
from pointctl.errors import PointctlError
from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices import devices, products
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.storage.models import Policy
from tests.brokers import Client, Room, make_certificates, mosquitto_room, running
from tests.host.serving import Finished, answer, imei

PRODUCTS = {
    "plain": {},
    "aliyun": {},
    "aliyun-md5": {"auth": "aliyun", "sign_method": "hmacmd5"},
    "aliyun-sha1": {"auth": "aliyun", "sign_method": "hmacsha1"},
    "aliyun-token": {},
    "gizwits": {},
    "gizwits-classic": {},
}


def registry_of(path: Path) -> Database:
    """A product of each kind with two devices."""
    database = open_database(path)
    for key, settings in PRODUCTS.items():
        given: dict[str, Any] = {"auth": key, "mqtt_host": HOST, **settings}
        products.add(database, key, policy=Policy.OPEN, product_key=key, **given)
        devices.register(
            database, key, [devices.ImportRow(n, imei(n), None) for n in range(2)]
        )
    return database


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("schemes") / "data" / "registry.sqlite"
    with registry_of(path) as database:
        yield database


@pytest.fixture(scope="module")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An embedded broker and its registry."""
    folder = tmp_path_factory.mktemp("embedded")
    files = make_certificates(folder)
    lines: list[str] = []
    with registry_of(folder / "data" / "registry.sqlite") as database:
        broker = embedded.broker(
            folder / "broker",
            port=free_port(),
            certificate=files.certificate,
            key=files.key,
            ca_file=files.ca,
            registry=folder / "data" / "registry.sqlite",
            on_line=lines.append,
        )
        with running(broker):
            yield Room(broker, files.ca, {}, lines), database


@pytest.fixture(scope="module")
def mosquitto(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Room, MosquittoAccounts]]:
    """A mosquitto, and what tells it of devices."""
    with mosquitto_room(tmp_path_factory.mktemp("mosquitto")) as room:
        accounts = MosquittoAccounts(
            HOST, room.broker.port, room.ca_file, room.broker.login_file
        )
        yield room, accounts
        accounts.close()


def board(
    database: Database,
    key: str,
    accounts: BrokerAccounts | None = None,
    serial: int = 0,
) -> dict[str, Any]:
    """What a board's mqtt() is given after it was issued its credential."""
    request = {"imei": imei(serial), "productKey": key}
    config = answer(database, request, accounts).config
    assert config is not None
    return dict(mqttauth.settings(config, os.urandom))


def client(room: Room, made: dict[str, Any], **options: Any) -> Client:
    return Client(room, made["user"], made["password"], made["clientId"], **options)


def own_and_foreign(key: str) -> tuple[str, str, str, str]:
    """A topic to publish to, a filter to hear, and the same of the other device."""
    found = []
    for name in (imei(0), imei(1)):
        if key.startswith("aliyun"):
            up = f"/sys/{key}/{name}/thing/awss/enrollee/match"
            found += [up, f"/ext/session/{key}/{name}/#"]
        elif key.startswith("gizwits"):
            found += [f"dev2app/{name}&{key}/app", f"app2dev/{name}&{key}/#"]
        else:
            found += [f"{key}/{name}/up", f"{key}/{name}/down/#"]
    return found[0], found[1], found[2], found[3]


def keeps_to_its_topics(room: Room, made: dict[str, Any], key: str) -> None:
    """The operator hears what is the device's own, and can reach it there."""
    up, down, foreign_up, foreign_down = own_and_foreign(key)
    login = read_login(room.broker.login_file)
    with Client(room, login.username, login.password) as operator:
        assert operator.subscribe(up)
        assert operator.subscribe(foreign_up)
        with client(room, made) as device:
            assert not device.refused
            assert device.subscribe(down)
            device.subscribe(foreign_down)
            device.publish(foreign_up, "forged")
            device.publish(up, "real")
            assert operator.received() == (up, b"real")
            operator.publish(foreign_down.replace("#", "x"), "for another")
            operator.publish(down.replace("#", "x"), "for it")
            assert device.received() == (down.replace("#", "x"), b"for it")


@pytest.mark.parametrize("key", PRODUCTS)
def test_the_embedded_broker_judges_each_scheme(embedded_broker: Any, key: str) -> None:
    """It asks the registry, and so knows every one."""
    room, database = embedded_broker
    made = board(database, key)
    keeps_to_its_topics(room, made, key)
    other = board(database, key, serial=1)
    for wrong in (
        {"password": other["password"]},
        {"password": ""},
        {"user": other["user"]},
    ):
        with client(room, {**made, **wrong}) as device:
            assert device.refused


def test_gizwits_boards_come_back_to_their_session(embedded_broker: Any) -> None:
    """Each time under another user name: what is behind the bar is a signature."""
    room, database = embedded_broker
    first, second = (board(database, "gizwits") for _ in range(2))
    assert first["user"] != second["user"]
    for made in (first, second):
        with client(room, made, clean=False) as device:
            assert not device.refused
            assert device.subscribe(f"app2dev/{imei(0)}&gizwits/#")
    thief = board(database, "gizwits", serial=1)
    with client(room, {**thief, "clientId": first["clientId"]}, clean=False) as device:
        assert device.refused


@pytest.mark.parametrize("key", sorted(set(PRODUCTS) - {"gizwits"}))
def test_mosquitto_is_told_what_boards_will_say(
    mosquitto: Any, registry: Database, key: str
) -> None:
    """An Alibaba board's account has its signature as password, not its secret."""
    room, accounts = mosquitto
    made = board(registry, key, accounts)
    keeps_to_its_topics(room, made, key)
    with client(room, {**made, "password": "wrong"}) as device:
        assert device.refused
    if key in ("aliyun", "aliyun-md5", "aliyun-sha1"):
        request = {"imei": imei(0), "productKey": key}
        config = answer(registry, request, accounts).config
        assert config is not None
        secret = config["device"]["deviceSecret"]
        assert secret != made["password"]
        with client(room, {**made, "password": secret}) as device:
            assert device.refused


def test_mosquitto_cannot_have_gizwits(mosquitto: Any, registry: Database) -> None:
    """It is said, and no account is made that would never open."""
    room, accounts = mosquitto
    with pytest.raises(PointctlError, match="a new password each time"):
        board(registry, "gizwits", accounts)
    with client(room, board(registry, "gizwits")) as device:
        assert device.refused


def test_serve_says_at_once_what_mosquitto_cannot_check(
    mosquitto: Any, pointctl: Callable[..., Finished], authority: Any
) -> None:
    """Before any board asks; the same server starts without such a product."""
    room, _ = mosquitto
    login, ca = room.broker.login_file, room.ca_file
    broker = ["--mosquitto", f"{HOST}:{room.broker.port}"]
    broker += ["--mosquitto-login", str(login), "--mosquitto-ca", str(ca)]
    add = ["products", "add", "T", "--policy", "open", "--mqtt-host", HOST]
    assert pointctl(*add, "--auth", "gizwits", "--key", "pk-g").code == 0
    files = ["--certificate", authority.server, "--key", authority.server_key]
    done = pointctl("serve", "--port", "0", *files, *broker)
    assert done.code == 1
    assert "pk-g" in done.err
    assert "--mqtt-hook-token-file" in done.err
