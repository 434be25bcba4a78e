"""Several processes on one port, over PostgreSQL: they agree, and none is missed."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from sqlalchemy import func, select

from point import protocol
from pointctl.folder import DataFolder
from pointctl.registry.keys import claim_keys as keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Credential
from tests.host.serving import (
    KEYED,
    Server,
    add_product,
    cuts_handshakes,
    device_key_board,
)
from tests.patience import PATIENCE_S

DEVICES = 60


@pytest.fixture(scope="module")
def registry(tmp_path_factory, postgres):
    """A registry in PostgreSQL, its URL, and the folder with the claim master."""
    data = DataFolder(tmp_path_factory.mktemp("workers") / "data")
    keys.create_master(data)
    url = postgres.new_registry()
    with open_database(url, data) as database:
        add_product(database, KEYED, DEVICES)
        yield database, url, data


@pytest.fixture
def start(registry, authority):
    """Starts servers on the registry, and ends those that still run."""
    _, url, data = registry
    started = []

    def start(*arguments):
        started.append(Server(data.path, authority, *arguments, url=url))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


def workers(server):
    """The processes that serve, or have served."""
    return [event["worker"] for event in server.events("worker ready")]


def test_each_process_serves_and_all_agree(registry, start):
    """One credential for a board, whichever of two servers' processes it meets."""
    database, _, data = registry
    servers = [start("--workers", "2"), start("--workers", "2")]
    board = device_key_board(0, KEYED, keys.open_keys(data))
    together = threading.Barrier(40)

    def one(number):
        with servers[number % 2].client() as client:
            together.wait(PATIENCE_S)
            return board.post(client, board.claim(1))

    with ThreadPoolExecutor(40) as pool:
        given = list(pool.map(one, range(40)))
    assert {code for code, *_ in given} <= {protocol.SUCCESS, protocol.SLOW_DOWN}
    assert len({str(config) for code, config, _ in given if config}) == 1
    with database.snapshot() as session:
        assert session.scalar(select(func.count(Credential.id))) == 1
    for server in servers:
        assert len(workers(server)) == 2
        assert server.stop() == 0


def test_a_process_that_dies_is_replaced(registry, start):
    """kill -9 of one; boards ask again and are served, the other never stopped."""
    _, _, data = registry
    server = start("--workers", "2")
    (first, second) = workers(server)
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while len(workers(server)) < 3:
        assert time.monotonic() < deadline, server.lines
        time.sleep(0.1)
    (died,) = server.events("worker died")
    assert (died["worker"], died["exit_code"]) == (first, -signal.SIGKILL)
    for serial in range(1, 21):
        board = device_key_board(serial, KEYED, keys.open_keys(data))
        with server.client() as client:
            assert board.post(client, board.claim(1))[0] == protocol.SUCCESS
    assert os.path.exists(f"/proc/{second}")
    assert server.stop() == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers(server))


def test_no_process_outlives_its_parent(start):
    """kill -9 of the parent: the others end by themselves."""
    server = start("--workers", "2")
    pids = workers(server)
    server.process.kill()
    deadline = time.monotonic() + PATIENCE_S
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    server.stop()


@cuts_handshakes
def test_who_is_being_served_is_served_to_the_end(registry, start):
    """SIGTERM while boards ask: each is answered, or its connection is refused."""
    _, _, data = registry
    server = start("--workers", "2")
    claim_keys = keys.open_keys(data)
    codes = []

    def ask(serial):
        board = device_key_board(serial, KEYED, claim_keys)
        with server.client() as client:
            try:
                for number in range(1, 6):
                    codes.append(board.post(client, board.claim(number))[0])
            except (httpx2.ConnectError, httpx2.RemoteProtocolError):
                return  # refused, or hung up on between two requests

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, serial) for serial in range(21, 61)]
        while len(codes) < 5:
            time.sleep(0.01)
        assert server.stop() == 0
    for done in asking:
        assert done.exception() is None
    assert set(codes) == {protocol.SUCCESS}


def test_sqlite_is_for_one_process(pointctl, data):
    """It says what several need."""
    done = pointctl("serve", "--workers", "2")
    assert done.code == 2
    assert "postgresql://" in done.err
    assert not data.path.exists()


def test_a_process_that_cannot_start_ends_it_all(pointctl, data, registry, monkeypatch):
    """Here for want of a certificate."""
    monkeypatch.setenv("POINTCTL_DATABASE", registry[1])
    done = pointctl("serve", "--workers", "2", "--port", "0")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "pointctl ca init" in done.err
