"""mosquitto's accounts are made while it runs, and outlive it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pointctl.broker import BrokerError, BrokerProcess, find_mosquitto, mosquitto
from pointctl.broker.mosquitto import MosquittoAccounts
from pointctl.broker.process import HOST, free_port
from tests.brokers import (
    PRODUCT,
    Client,
    Room,
    make_certificates,
    mosquitto_room,
    running,
)
from tests.host.serving import cuts_handshakes
from tests.patience import PATIENCE_S
from tests.runtimes import need


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with mosquitto_room(tmp_path_factory.mktemp("mosquitto")) as running_room:
        yield running_room


@contextmanager
def accounts_of(
    room: Room, login_file: Path | None = None, deadline_s: float = PATIENCE_S
) -> Iterator[MosquittoAccounts]:
    accounts = MosquittoAccounts(
        "localhost",
        room.broker.port,
        room.ca_file,
        login_file or room.broker.login_file,
        deadline_s=deadline_s,
    )
    try:
        yield accounts
    finally:
        accounts.close()


def gets_in(room: Room, name: str, secret: str) -> bool:
    with Client(room, f"{name}&{PRODUCT}", secret) as client:
        return not client.refused


def test_a_device_is_in_when_allow_returns(room: Room) -> None:
    with accounts_of(room) as accounts:
        for number in range(10):
            name = f"new{number}"
            assert not gets_in(room, name, "secret")
            accounts.allow(PRODUCT, name, "secret")
            assert gets_in(room, name, "secret")


def test_allowing_again_changes_nothing_or_the_secret(room: Room) -> None:
    with accounts_of(room) as accounts:
        accounts.allow(PRODUCT, "again", "first")
        accounts.allow(PRODUCT, "again", "first")
        assert gets_in(room, "again", "first")
        accounts.allow(PRODUCT, "again", "second")
        assert gets_in(room, "again", "second")
        assert not gets_in(room, "again", "first")


def test_a_refused_device_is_cut_off_and_stays_out(room: Room) -> None:
    with accounts_of(room) as accounts:
        accounts.allow(PRODUCT, "gone", "secret")
        with Client(room, f"gone&{PRODUCT}", "secret") as client:
            accounts.refuse(PRODUCT, "gone")
            assert client.is_cut()
        assert not gets_in(room, "gone", "secret")
        accounts.refuse(PRODUCT, "gone")  # once more, or one it never knew
        accounts.allow(PRODUCT, "gone", "another")
        assert gets_in(room, "gone", "another")
        assert not gets_in(room, "gone", "secret")


def test_threads_share_it(room: Room) -> None:
    failures: list[BaseException] = []
    with accounts_of(room) as accounts:

        def allow(number: int) -> None:
            try:
                accounts.allow(PRODUCT, f"thread{number % 5}", "secret")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=allow, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    assert all(gets_in(room, f"thread{number}", "secret") for number in range(5))


def test_it_outlives_the_broker(room: Room) -> None:
    """The next allow works after a restart, and what was allowed before still is."""
    with accounts_of(room) as accounts:
        accounts.allow(PRODUCT, "before", "secret")
        room.broker.stop()
        room.broker.start()
        assert gets_in(room, "before", "secret")
        accounts.allow(PRODUCT, "after", "secret")
        assert gets_in(room, "after", "secret")


def test_a_broker_that_comes_in_time_is_waited_for(room: Room) -> None:
    room.broker.stop()
    with accounts_of(room) as accounts:
        timer = threading.Timer(0.5, room.broker.start)
        timer.start()
        accounts.allow(PRODUCT, "patient", "secret")
        timer.join()
    assert gets_in(room, "patient", "secret")


def test_without_a_broker_it_raises_when_its_deadline_is_over(room: Room) -> None:
    room.broker.stop()
    try:
        with (
            accounts_of(room, deadline_s=0.3) as accounts,
            pytest.raises(BrokerError, match="no connection"),
        ):
            accounts.allow(PRODUCT, "dev3", "secret")
    finally:
        room.broker.start()


def test_a_wrong_login_is_told(room: Room, tmp_path: Path) -> None:
    login_file = tmp_path / "login.json"
    login_file.write_text('{"username": "operator", "password": "wrong"}')
    login_file.chmod(0o600)
    for deadline_s in (0.5, 5, 50):  # it is tried until then, once at least
        with (
            accounts_of(room, login_file, deadline_s) as accounts,
            pytest.raises(BrokerError) as raised,
        ):
            accounts.allow(PRODUCT, "dev3", "secret")
        if "no connection" not in str(raised.value):
            break
    assert "Not authorized" in str(raised.value)


@cuts_handshakes
def test_a_broker_that_cannot_be_verified_is_told_nothing(
    room: Room, tmp_path: Path
) -> None:
    stranger = make_certificates(tmp_path).ca
    accounts = MosquittoAccounts(
        HOST, room.broker.port, stranger, room.broker.login_file, deadline_s=0.5
    )
    try:
        with pytest.raises(BrokerError, match="no connection"):
            accounts.allow(PRODUCT, "dev3", "secret")
    finally:
        accounts.close()


@pytest.mark.parametrize("name", ["a/b", "#", "+", "", "..", "a&b"])
def test_a_name_that_would_widen_the_topics_is_refused(room: Room, name: str) -> None:
    with accounts_of(room) as accounts:
        with pytest.raises(BrokerError, match="deviceName"):
            accounts.allow(PRODUCT, name, "secret")
        with pytest.raises(BrokerError, match="productKey"):
            accounts.allow(name, "dev1", "secret")


def test_no_secret_is_in_argv(room: Room) -> None:
    command = Path(f"/proc/{room.broker.pid}/cmdline")
    if not command.exists():
        pytest.skip("no /proc here")
    assert command.read_bytes().split(b"\0")[1] == b"-c"
    assert b"secret" not in command.read_bytes()


@pytest.fixture
def make_broker(tmp_path: Path) -> Callable[[int], BrokerProcess]:
    """A broker on a port, not yet started."""
    program = need("mosquitto")
    files = make_certificates(tmp_path)
    return lambda port: mosquitto.broker(
        program,
        tmp_path / f"broker{port}",
        port=port,
        certificate=files.certificate,
        key=files.key,
        ca_file=files.ca,
        on_line=lambda line: None,
    )


def test_a_port_that_is_taken_is_told(
    room: Room, make_broker: Callable[[int], BrokerProcess]
) -> None:
    broker = make_broker(room.broker.port)
    with pytest.raises(BrokerError, match="Address already in use"):
        broker.start()
    assert broker.pid is None


def test_the_name_says_which_version(
    make_broker: Callable[[int], BrokerProcess],
) -> None:
    broker = make_broker(free_port())
    with running(broker):
        assert broker.name.startswith("mosquitto 2.")


def test_a_mosquitto_without_the_plugin_is_told(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    with pytest.raises(BrokerError, match="has no mosquitto_dynamic_security"):
        mosquitto.broker(
            tmp_path / "sbin/mosquitto",
            tmp_path / "broker",
            port=1,
            certificate=files.certificate,
            key=files.key,
            ca_file=files.ca,
            on_line=lambda line: None,
        )


def test_mosquitto_is_found_where_only_root_looks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "mosquitto"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mosquitto() == program
    monkeypatch.setenv("PATH", "/nowhere")
    elsewhere = Path("/usr/sbin/mosquitto")
    assert find_mosquitto() == (elsewhere if elsewhere.exists() else None)
