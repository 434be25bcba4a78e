"""What every broker of ours keeps: the same facts for mosquitto and for amqtt."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pointctl.broker import BrokerError
from pointctl.broker.login import OperatorLogin, read_login
from tests.brokers import (
    PRODUCT,
    Client,
    Room,
    embedded_room,
    mosquitto_room,
)


@pytest.fixture(scope="module", params=[mosquitto_room, embedded_room])
def room(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Room]:
    with request.param(tmp_path_factory.mktemp("broker")) as running_room:
        yield running_room


@pytest.fixture
def operator(room: Room) -> Iterator[Client]:
    login = read_login(room.broker.login_file)
    with Client(room, login.username, login.password) as client:
        assert not client.refused
        yield client


def device(room: Room, name: str, **options: object) -> Client:
    """A device with its right credentials."""
    return Client(room, f"{name}&{PRODUCT}", room.secrets[name], **options)  # type: ignore[arg-type]


def test_a_device_talks_on_its_own_topics(room: Room, operator: Client) -> None:
    with device(room, "dev1") as dev1:
        assert not dev1.refused
        assert dev1.subscribe(f"{PRODUCT}/dev1/down/#")
        assert operator.subscribe(f"{PRODUCT}/+/up")
        dev1.publish(f"{PRODUCT}/dev1/up", "hello")
        assert operator.received() == (f"{PRODUCT}/dev1/up", b"hello")
        operator.publish(f"{PRODUCT}/dev1/down/set", "on")
        assert dev1.received() == (f"{PRODUCT}/dev1/down/set", b"on")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (f"dev1&{PRODUCT}", "wrong"),
        (f"dev1&{PRODUCT}", ""),
        (f"nobody&{PRODUCT}", "secret"),
        ("operator", "wrong"),
        ("", "secret"),
        (None, None),
    ],
)
def test_who_proves_nothing_is_refused(
    room: Room, username: str | None, password: str | None
) -> None:
    with Client(room, username, password) as client:
        assert client.refused


def test_one_device_cannot_use_the_secret_of_another(room: Room) -> None:
    with Client(room, f"dev1&{PRODUCT}", room.secrets["dev2"]) as client:
        assert client.refused


@pytest.mark.parametrize(
    "topic",
    [
        "#",
        "+/+/up",
        f"{PRODUCT}/#",
        f"{PRODUCT}/+/up",
        f"{PRODUCT}/dev2/up",
        f"{PRODUCT}/dev11/up",
        f"$share/group/{PRODUCT}/dev2/up",
    ],
)
def test_a_foreign_topic_is_not_heard(room: Room, operator: Client, topic: str) -> None:
    with device(room, "dev1") as dev1:
        dev1.subscribe(topic)
        assert dev1.subscribe(f"{PRODUCT}/dev1/#")
        for name in ("dev2", "dev11", "dev1"):
            operator.publish(f"{PRODUCT}/{name}/up", "hello")
        assert dev1.received() == (f"{PRODUCT}/dev1/up", b"hello")
        assert dev1.messages.empty()


def test_a_foreign_topic_is_not_written(room: Room, operator: Client) -> None:
    assert operator.subscribe(f"{PRODUCT}/#")
    with device(room, "dev1") as dev1:
        dev1.publish(f"{PRODUCT}/dev2/up", "forged")
        dev1.publish(f"{PRODUCT}/dev11/up", "forged")
        dev1.publish(f"{PRODUCT}/dev1/up", "real")
    assert operator.received() == (f"{PRODUCT}/dev1/up", b"real")


def test_a_will_on_a_foreign_topic_is_not_sent(room: Room, operator: Client) -> None:
    """The broker may refuse the connection for it, or drop the will."""
    assert operator.subscribe(f"{PRODUCT}/#")
    for name in ("dev2", "dev1"):
        client = device(room, "dev1", will=f"{PRODUCT}/{name}/gone")
        client.cut()
    assert operator.received() == (f"{PRODUCT}/dev1/gone", b"will")


def test_a_session_stays_with_its_owner(room: Room, operator: Client) -> None:
    """Who names the client id of another gets neither its session nor its messages."""
    with device(room, "dev2", client_id="shared", clean=False) as owner:
        assert owner.subscribe(f"{PRODUCT}/dev2/#")
    operator.publish(f"{PRODUCT}/dev2/secret", "for dev2")
    with device(room, "dev1", client_id="shared", clean=False) as thief:
        if not thief.refused:
            operator.publish(f"{PRODUCT}/dev2/secret", "for dev2")
            assert thief.subscribe(f"{PRODUCT}/dev1/#")
            operator.publish(f"{PRODUCT}/dev1/x", "for dev1")
            assert thief.received() == (f"{PRODUCT}/dev1/x", b"for dev1")


def test_a_refused_client_can_come_back(room: Room) -> None:
    for password in ("wrong", room.secrets["dev1"]):
        with Client(
            room, f"dev1&{PRODUCT}", password, client_id="back", clean=False
        ) as client:
            assert client.refused == (password == "wrong")


def test_a_retained_message_reaches_no_other_device(
    room: Room, operator: Client
) -> None:
    with device(room, "dev2") as dev2, device(room, "dev1") as dev1:
        assert dev2.subscribe(f"{PRODUCT}/dev2/#")
        operator.publish(f"{PRODUCT}/dev2/kept", "for dev2", retain=True)
        assert dev2.received() == (f"{PRODUCT}/dev2/kept", b"for dev2")
        with device(room, "dev1") as late:
            assert late.subscribe(f"{PRODUCT}/dev1/#")
            operator.publish(f"{PRODUCT}/dev1/x", "for dev1")
            assert late.received() == (f"{PRODUCT}/dev1/x", b"for dev1")
        assert dev1.messages.empty()
        operator.publish(f"{PRODUCT}/dev2/kept", "", retain=True)


def test_its_files_are_private_and_its_log_has_no_secret(room: Room) -> None:
    folder = room.broker.login_file.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    password = read_login(room.broker.login_file).password
    with device(room, "dev1"):
        pass
    room.wait_for_line("dev1")
    for secret in (password, *room.secrets.values(), "wrong"):
        assert not [line for line in room.lines if secret in line]


def test_start_and_stop(room: Room) -> None:
    """Stopped it has no process; a port that is taken is told, not waited for."""
    assert room.broker.pid
    with pytest.raises(BrokerError, match="running already"):
        room.broker.start()
    room.broker.stop()
    assert room.broker.pid is None
    room.broker.stop()
    with pytest.raises(ConnectionRefusedError):
        Client(room, "a", "b")
    room.broker.start()
    with device(room, "dev1") as dev1:
        assert not dev1.refused


def test_a_login_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "operator.json"
    path.write_text('{"username": "operator", "password": "hidden"}')
    path.chmod(0o640)
    with pytest.raises(BrokerError, match="others may read"):
        read_login(path)
    path.chmod(0o600)
    login = read_login(path)
    assert login == OperatorLogin("operator", "hidden")
    assert "hidden" not in repr(login)


@pytest.mark.parametrize("content", ["", "[]", '{"username": "hidden"}', "hidden"])
def test_a_login_that_is_none_is_told_without_its_content(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "operator.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(BrokerError, match="it is not a login") as caught:
        read_login(path)
    assert "hidden" not in str(caught.value)
