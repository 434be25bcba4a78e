"""Real server processes over TLS: parallel boards, restarts, kills."""

import queue
import signal
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx2
import pytest

from pointctl.folder import DataFolder
from pointctl.registry.devices import devices, products
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy
from tests.host.serving import PRODUCT, Server, imei, secrets_of
from tests.patience import PATIENCE_S


def ask(client, serial):
    return client.post("/v1/access", json={"imei": imei(serial)})


def registry_of(path):
    """A fresh registry with one open product and a few devices."""
    database = open_database(path)
    products.add(
        database,
        "Tracker",
        policy=Policy.OPEN,
        product_key=PRODUCT,
        mqtt_host="mqtt.test",
    )
    devices.register(
        database, PRODUCT, [devices.ImportRow(n, imei(n), None) for n in (0, 1)]
    )
    return database


@pytest.fixture(scope="module")
def shared(tmp_path_factory, authority):
    """A server that many tests may use, and its registry."""
    data = DataFolder(tmp_path_factory.mktemp("shared") / "data")
    with registry_of(data.registry) as database:
        server = Server(data.path, authority)
        yield server, database
        server.stop()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, authority):
    """A server that three requests were made to and that was then stopped.

    Its exit code and what it replied to imei(0) are kept beside it.
    """
    data = DataFolder(tmp_path_factory.mktemp("stopped") / "data")
    claim_keys.create_master(data)
    with registry_of(data.registry):
        server = Server(data.path, authority, executed=True)
        with server.client() as client:
            reply = ask(client, 0)
            ask(client, 99)
            client.post("/v1/access", content=b"x")
        return SimpleNamespace(server=server, reply=reply, code=server.stop())


def connection(server):
    """A verified TLS connection to the server."""
    context = ssl.create_default_context(cafile=server.ca_file)
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    return context.wrap_socket(plain, server_hostname="localhost")


def ask_in_parallel(servers, serial, times=50):
    """One connection for each request, all at once; the replies' bodies."""
    together = threading.Barrier(times)

    def one(number):
        with servers[number % len(servers)].client() as client:
            together.wait(PATIENCE_S)
            reply = ask(client, serial)
            assert reply.status_code == 200
            return reply.content

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def test_fifty_at_once_get_one_credential(shared):
    """One row, one secret, the same bytes."""
    server, database = shared
    bodies = ask_in_parallel([server], 0)
    (secret,) = secrets_of(database, imei(0))
    assert set(bodies) == {bodies[0]}
    assert secret.encode() in bodies[0]


def test_fifty_at_once_to_two_processes_get_one_credential(shared, authority):
    """The file is what they share; SQLite lets one of them write at a time."""
    server, database = shared
    other = Server(server.data, authority)
    bodies = ask_in_parallel([server, other], 1)
    other.stop()
    assert len(set(bodies)) == len(secrets_of(database, imei(1))) == 1


def test_a_server_that_is_stopped_ends_well(stopped):
    """SIGTERM is how it is meant to end."""
    assert stopped.code == 0


def test_a_restarted_server_gives_the_same(stopped, authority):
    """The credential is in the file, not in the process. Ctrl-C ends it as well."""
    server = Server(stopped.server.data, authority, executed=True)
    with server.client() as client:
        assert ask(client, 0).content == stopped.reply.content
    assert server.stop(signal.SIGINT) == 0


def test_the_log_names_no_board_and_no_secret(stopped):
    """One line an access: masked IMEI, code, milliseconds."""
    log = "".join(stopped.server.lines)
    device = stopped.reply.json()["result"]["device"]
    for secret in (device["deviceSecret"], device["productSecret"], imei(0), imei(99)):
        assert secret not in log
    lines = stopped.server.events("access")
    assert [line["code"] for line in lines] == ["00000", "40101", "40001"]
    assert lines[0]["imei"] == f"{imei(0)[:8]}****{imei(0)[-3:]}"
    assert all(line["ms"] >= 0 for line in lines)


def test_people_are_told_where_it_is(stopped):
    """One line that is not JSON."""
    url = f"https://127.0.0.1:{stopped.server.port}"
    plain = [line for line in stopped.server.lines if not line.startswith("{")]
    assert plain == [f"serving {url}  docs at {url}/docs\n"]


def test_a_connection_is_kept(shared):
    """A board that asks twice pays for one handshake."""
    server, _ = shared
    body = b'{"imei": "%s"}' % imei(0).encode()
    head = b"POST /v1/access HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    replies = []
    with connection(server) as stream:
        for _ in range(2):
            stream.sendall(head % len(body) + body)
            reply = b""
            while not reply.endswith(b"}}}"):
                reply += stream.recv(4096)
            replies.append(reply.partition(b"\r\n\r\n")[2])
    assert replies[0] == replies[1]


def test_an_endless_body_is_cut_off(shared):
    """It is answered when it is too long, not when it ends."""
    head = b"POST /v1/access HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n"
    with connection(shared[0]) as stream:
        stream.sendall(head)
        stream.sendall(b"x" * 5000)
        assert stream.recv(4096).startswith(b"HTTP/1.1 400")


def test_a_stranger_does_not_trust_the_server(shared):
    """The throw-away CA is in nobody's store."""
    with (
        httpx2.Client(base_url=shared[0].url) as stranger,
        pytest.raises(httpx2.ConnectError),
    ):
        stranger.get("/healthz")


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_tls_versions(shared, version):
    """Old modules speak 1.2."""
    server, _ = shared
    context = ssl.create_default_context(cafile=server.ca_file)
    context.minimum_version = context.maximum_version = {
        "TLSv1.2": ssl.TLSVersion.TLSv1_2,
        "TLSv1.3": ssl.TLSVersion.TLSv1_3,
    }[version]
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    with context.wrap_socket(plain, server_hostname="localhost") as stream:
        assert stream.version() == version


def test_kill_9_loses_no_credential_that_was_acknowledged(database, start_server):
    """Boards keep asking while the server is killed; what they were told stays true."""
    rows = [devices.ImportRow(n, imei(n), None) for n in range(1000, 1600)]
    devices.register(database, PRODUCT, rows)
    told: dict[int, bytes] = {}
    for first in (1000, 1300):
        server = start_server()
        heard: queue.Queue[int] = queue.Queue()

        def board(serials, server=server, heard=heard):
            with server.client() as client:
                for serial in serials:
                    try:
                        reply = ask(client, serial)
                    except httpx2.TransportError:
                        return
                    assert reply.status_code == 200
                    told[serial] = reply.content
                    heard.put(serial)

        parts = [range(first + n, first + 300, 4) for n in range(4)]
        boards = [threading.Thread(target=board, args=[part]) for part in parts]
        for thread in boards:
            thread.start()
        for _ in range(60):
            heard.get(timeout=PATIENCE_S)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        for thread in boards:
            thread.join(PATIENCE_S)
    assert 120 <= len(told) < 600
    with start_server().client() as client:
        for serial, body in told.items():
            assert ask(client, serial).content == body
