"""The embedded broker asks the registry at each connection, and logs its decisions."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointctl.broker.login import read_login
from pointctl.registry.devices import devices
from pointctl.registry.storage.database import open_database
from tests.brokers import PRODUCT, Client, Room, embedded_room, issued_secret


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with embedded_room(tmp_path_factory.mktemp("embedded")) as running_room:
        yield running_room


def registry_of(room: Room) -> Path:
    return room.ca_file.parent / "registry.sqlite"


def test_a_device_is_in_as_soon_as_it_is_issued(room: Room) -> None:
    imei = "868123456789016"
    with open_database(registry_of(room)) as database:
        devices.register(database, PRODUCT, [devices.validate_row(1, imei, "later")])
        with Client(room, f"later&{PRODUCT}", "") as client:
            assert client.refused
        secret = issued_secret(database, imei)
    with Client(room, f"later&{PRODUCT}", secret) as client:
        assert not client.refused


def test_it_logs_json_lines(room: Room) -> None:
    with Client(room, f"dev1&{PRODUCT}", room.secrets["dev1"], "id1") as dev1:
        dev1.subscribe(f"{PRODUCT}/dev1/#")
        dev1.subscribe(f"{PRODUCT}/dev2/#")
        dev1.publish(f"{PRODUCT}/dev1/up", "hello")
    room.wait_for_line('"id1"', '"disconnect"')
    with Client(room, f"dev1&{PRODUCT}", "wrong", "id2"):
        pass
    room.wait_for_line('"id2"', '"connect"')
    entries = [json.loads(line) for line in room.lines]
    assert entries[0]["event"] == "ready"
    assert entries[0]["port"] == room.broker.port
    seen = [
        (entry["event"], entry.get("topic"), entry.get("allowed"))
        for entry in entries
        if entry.get("user") == f"dev1&{PRODUCT}"
    ]
    assert seen == [
        ("connect", None, True),
        ("subscribe", f"{PRODUCT}/dev1/#", True),
        ("subscribe", f"{PRODUCT}/dev2/#", False),
        ("publish", f"{PRODUCT}/dev1/up", True),
        ("disconnect", None, None),
        ("connect", None, False),
    ]
    assert all(entry["level"] == "info" for entry in entries)


def test_a_stranger_takes_nothing_over_with_a_client_id(room: Room) -> None:
    """A refused client neither hears for the owner of its id nor leaves a will."""
    login = read_login(room.broker.login_file)
    up = f"{PRODUCT}/dev1/up"
    with Client(room, login.username, login.password) as operator:
        operator.subscribe(f"{PRODUCT}/#")
        user = f"dev1&{PRODUCT}"
        owner = Client(room, user, room.secrets["dev1"], "owned", clean=False)
        with Client(room, user, "wrong", "owned", clean=False, will=up) as stranger:
            assert stranger.refused
        with owner, Client(room, user, room.secrets["dev1"], "owned", clean=False):
            operator.publish(f"{PRODUCT}/dev2/x", "mark")
            assert operator.received() == (f"{PRODUCT}/dev2/x", b"mark")


def test_without_its_registry_nobody_gets_in_but_the_operator(room: Room) -> None:
    with sqlite3.connect(registry_of(room)) as connection:
        connection.execute("ALTER TABLE credentials RENAME TO gone")
    try:
        with Client(room, f"dev1&{PRODUCT}", room.secrets["dev1"]) as client:
            assert client.refused
        login = read_login(room.broker.login_file)
        with Client(room, login.username, login.password) as client:
            assert not client.refused
    finally:
        with sqlite3.connect(registry_of(room)) as connection:
            connection.execute("ALTER TABLE gone RENAME TO credentials")
    room.wait_for_line('"registry"', '"error"')


def test_the_name_says_what_it_is(room: Room) -> None:
    assert room.broker.name.startswith("amqtt 0.12")
    assert room.broker.name.endswith(" (embedded)")
