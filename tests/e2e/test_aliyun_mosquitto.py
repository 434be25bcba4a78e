"""Boards that sign as Alibaba wants it, at mosquitto: the packets are real MQTT."""

from collections.abc import Iterator

import pytest

from pointctl.broker.login import read_login
from pointctl.demo.system import System, build_system
from pointctl.demo.timeline import Timeline
from pointctl.registry.devices import devices, products
from pointctl.registry.keys.claim_keys import create_master
from pointctl.registry.storage.database import open_database
from tests import runtimes
from tests.brokers import Client, Room
from tests.e2e.aliyun_registry import signature
from tests.e2e.test_field import secret

KEY = "a1B2c3D4e5F"
IMEI = "490154203237518"


@pytest.fixture
def system(forked: None) -> Iterator[System]:
    """A mosquitto that runs, and what is needed for a server and boards."""
    runtimes.micropython()
    runtimes.need("mosquitto")
    with build_system(Timeline(None)) as made:
        yield made


def register(system: System, sign_method: str | None) -> None:
    """A product whose boards sign, and one board of it."""
    create_master(system.folder)
    with open_database(system.folder.registry) as database:
        products.add(
            database,
            "Signing meter",
            product_key=KEY,
            mqtt_host="127.0.0.1",
            mqtt_port=system.broker.port,
            mqtt_qos=1,
            auth="aliyun",
            sign_method=sign_method,
        )
        devices.register(database, KEY, [devices.ImportRow(1, IMEI, None)])


@pytest.mark.parametrize("method", [None, "hmacmd5"])
def test_provisioned_and_signed(system: System, method: str | None) -> None:
    """Our server gives the secret, the board signs under it, mosquitto lets it in."""
    register(system, method)
    board = system.board(KEY, IMEI)
    timeline = system.timeline
    room = Room(system.broker, system.files.ca, {}, [])
    login = read_login(system.broker.login_file)
    with Client(room, login.username, login.password) as operator:
        assert operator.subscribe(f"/{KEY}/{IMEI}/user/#")
        with system.server() as server:
            timeline.require("server", "ready", server.alive)
            with board.power_on() as power:
                timeline.require("board", "published", power.alive)
        heard = [operator.received()]
        timeline.chapter("a later boot, without the server")
        with board.power_on() as power:
            timeline.require("board", "published", power.alive)
        heard.append(operator.received())
    assert heard == [(f"/{KEY}/{IMEI}/user/up", b'{"online":true}')] * 2
    assert timeline.count("board", "lost") == 0
    members = {"clientId": f"{KEY}.{IMEI}", "deviceName": IMEI, "productKey": KEY}
    members["timestamp"] = "2524608000000"
    known = secret(system, board)
    assert known
    password = signature(method or "hmacsha256", known, members)
    for word, is_refused in ((password, False), (known, True)):
        with Client(room, f"{IMEI}&{KEY}", word, members["clientId"]) as client:
            assert client.refused == is_refused
