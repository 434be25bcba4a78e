"""What those who run a server see: metrics, readiness, its certificate, proxies."""

import json
import os
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from pointctl import certificates
from pointctl.certificates import CaFiles
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.storage.database import Database
from pointctl.server.app import create_app
from pointctl.web.tls import Certificate
from tests import postgres as postgresql
from tests.host.serving import KEYS, PRODUCT, Server, imei
from tests.patience import PATIENCE_S


def samples(url: str) -> dict[tuple[str, ...], float]:
    """What Prometheus would read: values by name and labels."""
    reply = httpx2.get(url)
    assert reply.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def ask(client: httpx2.Client, serial: int) -> str:
    return str(client.post("/v1/access", json={"imei": imei(serial)}).json()["code"])


def eventually(check: Callable[[], Any]) -> Any:
    """What `check` returns once that is true."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


@pytest.fixture
def serving(data: DataFolder, authority: CaFiles) -> Iterator[Callable[..., Server]]:
    """Starts a server with options and ends it."""
    started: list[Server] = []

    def start(*options: str | Path, files: CaFiles = authority) -> Server:
        started.append(Server(data.path, files, *options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_metrics(database: Database, serving: Callable[..., Server]) -> None:
    """Requests by code, their times, devices by state; and nothing names a device."""
    server = serving("--metrics-port", "0")
    url = server.events("metrics")[0]["url"]
    before = samples(url)
    assert before["pointaccess_devices", "registered"] == 10
    assert before["pointaccess_enrolments_total",] == 0
    with server.client() as client:
        assert [ask(client, n) for n in (0, 0, 1)] == ["00000"] * 3
        assert ask(client, 99) == "40101"
        assert client.get("/metrics").status_code == 404  # not for the whole world
    found = samples(url)
    assert found["pointaccess_requests_total", "00000"] == 3
    assert found["pointaccess_requests_total", "40101"] == 1
    assert found["pointaccess_request_seconds_count",] == 4
    assert found["pointaccess_devices", "issued"] == 2
    assert found["pointaccess_enrolments_total",] == 2
    assert found["pointaccess_database_up",] == 1
    end = found["pointaccess_certificate_end_timestamp_seconds",]
    assert end > time.time() + 800 * 86400
    text = httpx2.get(url).text
    assert imei(0) not in text
    assert imei(0)[:8] not in text


def test_metrics_while_the_database_is_away(
    database: Database, serving: Callable[..., Server], data: DataFolder
) -> None:
    """Prometheus still gets what was counted, and hears that the rest is missing."""
    server = serving("--metrics-port", "0")
    url = server.events("metrics")[0]["url"]
    with database.exclusive() as session:
        session.connection().exec_driver_sql("ALTER TABLE pool RENAME TO away")
    found = samples(url)
    assert found["pointaccess_database_up",] == 0
    assert ("pointaccess_devices", "registered") not in found


def test_metrics_of_several_processes_are_one_sum(
    postgres: postgresql.Cluster,
    data: DataFolder,
    serving: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever process answered, and whether it still lives."""
    monkeypatch.setenv("POINTCTL_DATABASE", postgres.new_registry())
    server = serving("--workers", "2", "--metrics-port", "0")
    url = server.events("metrics")[0]["url"]

    def ask_wrongly(times: int) -> None:
        for _ in range(times):  # each on a connection, to whichever process
            with server.client() as client:
                assert client.post("/v1/access", content=b"x").status_code == 400

    ask_wrongly(20)
    assert samples(url)["pointaccess_requests_total", "40001"] == 20
    os.kill(server.events("worker ready")[0]["worker"], signal.SIGKILL)
    eventually(lambda: len(server.events("worker ready")) == 3)
    ask_wrongly(1)
    assert samples(url)["pointaccess_requests_total", "40001"] == 21


def test_ready(database: Database, authority: CaFiles) -> None:
    """The database is there and of the right revision, and the certificate holds."""
    served = Certificate(authority.server, authority.server_key)
    client = TestClient(create_app(database, KEYS, certificate=served))
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()["status"]) == (200, "ready")
    assert reply.json()["certificate_days"] >= 823
    with database.exclusive() as session:
        session.connection().exec_driver_sql(
            "UPDATE alembic_version SET version_num = '0000'"
        )
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()["database"]) == (503, "wrong revision")
    assert client.get("/healthz").status_code == 200


def test_not_ready_without_its_database(database: Database, data: DataFolder) -> None:
    """A file that is no database any more."""
    client = TestClient(create_app(database, KEYS))
    assert client.get("/readyz").status_code == 200
    database.close()
    data.registry.write_bytes(b"no database" * 1000)
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()["database"]) == (503, "unreachable")


def copied(authority: CaFiles, folder: Path) -> CaFiles:
    """An authority with all its files in another folder."""
    shutil.copytree(authority.folder, folder)
    return CaFiles(folder)


def serial_number(server: Server, ca: Path) -> str:
    """The serial number of the certificate that the server shows."""
    context = ssl.create_default_context(cafile=ca)
    with (
        socket.create_connection(
            ("127.0.0.1", server.port), timeout=PATIENCE_S
        ) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        shown = stream.getpeercert()
        assert shown
        return str(shown["serialNumber"])


def test_a_new_certificate_is_served_without_a_restart(
    database: Database,
    serving: Callable[..., Server],
    authority: CaFiles,
    tmp_path: Path,
) -> None:
    """Connections that are open stay; half of a pair, or nonsense, changes nothing."""
    files = copied(authority, tmp_path / "ca")
    server = serving(files=files)
    old = serial_number(server, files.ca)
    with server.client() as client:
        assert ask(client, 0) == "00000"
        key = files.server_key.read_bytes()
        files.server_key.write_text("nonsense")
        eventually(lambda: server.events("certificate not loaded"))
        assert serial_number(server, files.ca) == old
        files.server_key.write_bytes(key)
        certificates.renew(files.folder)
        eventually(lambda: serial_number(server, files.ca) != old)
        assert ask(client, 0) == "00000"
    assert len(server.events("certificate loaded")) >= 1


def test_half_of_a_pair_is_not_taken(authority: CaFiles, tmp_path: Path) -> None:
    """The context keeps the pair that it had, until both are new."""
    files = copied(authority, tmp_path / "ca")
    served = Certificate(files.server, files.server_key)
    assert not served.reload()
    old_key = files.server_key.read_bytes()
    certificates.renew(files.folder)
    new_key = files.server_key.read_bytes()
    files.server_key.write_bytes(old_key)
    with pytest.raises(PointctlError, match="not a certificate and its key"):
        served.reload()
    files.server_key.write_bytes(new_key)
    assert served.reload()
    assert not served.reload()


@pytest.mark.parametrize(
    ("options", "limited"), [((), True), (("--trusted-proxy", "127.0.0.0/8"), False)]
)
def test_whom_a_trusted_proxy_names_is_who_asks(
    database: Database,
    serving: Callable[..., Server],
    options: tuple[str, ...],
    limited: bool,
) -> None:
    """Rate limits count those behind it apart; others cannot name anybody."""
    server = serving(*options)
    codes = []
    with server.client() as client:
        for n in range(30):
            reply = client.post(
                "/v1/access",
                json={"imei": imei(1000 + n), "productKey": PRODUCT},
                headers={"X-Forwarded-For": f"198.51.{n}.1"},
            )
            codes.append(reply.json()["code"])
    assert ("42901" in codes) is limited


def test_no_proxy_is_trusted_by_accident(pointctl: Callable[..., Any]) -> None:
    """A name, or everybody by mistake."""
    for wrong in ("nginx", "*", "10.0.0.1/8"):
        assert pointctl("serve", "--trusted-proxy", wrong).code == 2


@pytest.mark.parametrize("path", ["/api/v1/devices", "/healthz", "/nowhere", "/docs"])
def test_safe_headers(database: Database, path: str) -> None:
    """For browsers; a board is sent no byte more."""
    client = TestClient(create_app(database, KEYS))
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    reply = client.post("/v1/access", content=json.dumps({"imei": imei(0)}))
    assert set(reply.headers) == {"content-length", "content-type"}


def test_old_tls_is_refused(database: Database, serving: Callable[..., Server]) -> None:
    """TLS 1.1 and what has no forward secrecy."""
    server = serving()
    context = ssl.create_default_context(cafile=server.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:@SECLEVEL=0")
    with (
        socket.create_connection(
            ("127.0.0.1", server.port), timeout=PATIENCE_S
        ) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")
