"""Fixtures that the host tests share: a data folder, the command line, real servers."""

import gc
import io
import logging
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import structlog

from pointctl import __main__, certificates, logs
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.folder import DataFolder
from pointctl.registry import rate_limits as limits
from pointctl.registry.storage.database import Database
from tests.host.preauth import filled_database
from tests.host.serving import Finished, Server, open_registry, url_of
from tests.host.vectors import VECTORS, Counts, table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the vectors by kind, as the device tests counted them on each runtime.

    The output of passing tests is not shown, and they may have run in other processes:
    only what they recorded comes here.
    """
    found: dict[str, Counts] = {}
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == VECTORS and report.when == "call":
                found |= value
    if found:
        terminalreporter.section("vectors that passed, by kind and runtime")
        for line in table(found):
            terminalreporter.write_line(line)


@pytest.fixture
def collected() -> Iterator[None]:
    """Afterwards no garbage is left; see serving.cuts_handshakes."""
    yield
    gc.collect()


@pytest.fixture
def data(tmp_path, monkeypatch) -> DataFolder:
    """An empty data folder that commands use by default."""
    folder = DataFolder(tmp_path / "data")
    monkeypatch.setenv("POINTCTL_DATA", str(folder.path))
    return folder


@pytest.fixture
def pointctl(data, capsys) -> Callable[..., Finished]:
    """Runs one command in this process, through main()."""

    def run(*arguments: str) -> Finished:
        with pytest.raises(SystemExit) as stopped:
            __main__.main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return Finished(int(stopped.value.code or 0), streams.out, streams.err)

    return run


@pytest.fixture
def standing_clock(monkeypatch) -> None:
    """For rate limits no time passes, however slow the machine is."""
    now = time.time()
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: now))


@pytest.fixture
def database(data, request) -> Iterator[Database]:
    """A registry with one open product and the devices imei(0) … imei(9).

    It is in the data folder; with serving.ON_BOTH the test also runs on PostgreSQL.
    """
    with open_registry(url_of(request) or data.registry, data) as opened:
        yield opened


@pytest.fixture
def sandbox_database(data, request) -> Iterator[SandboxDatabase]:
    """The database of a Gizwits sandbox, with one product.

    It is in the data folder; with preauth.ON_BOTH the test also runs on PostgreSQL.
    """
    with filled_database(data, url_of(request, empty=True)) as opened:
        yield opened


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What this process logs, as the server would write it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> certificates.CaFiles:
    """A throw-away CA and a certificate for this machine's own addresses."""
    return certificates.init(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture
def start_server(data, authority) -> Iterator[Callable[[], Server]]:
    """Starts servers on the data folder, and ends those that still run."""
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(data.path, authority))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()
