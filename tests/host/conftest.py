"""Fixtures that the host tests share: a data folder, the command line, real servers."""

import io
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog
from serving import PRODUCT, Finished, Server, imei
from vectors import Counts, table

from pointctl import __main__, certificates, logs
from pointctl.folder import DataFolder
from pointctl.registry import devices, products
from pointctl.registry.database import Database, open_database
from pointctl.registry.models import Policy

VECTORS = pytest.StashKey[dict[str, Counts]]()


@pytest.fixture
def vectors_by_runtime(pytestconfig: pytest.Config) -> dict[str, Counts]:
    """What the device tests counted on each runtime; shown when all tests are done."""
    return pytestconfig.stash.setdefault(VECTORS, {})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the vectors by kind: the output of passing tests is not shown."""
    if found := config.stash.get(VECTORS, {}):
        terminalreporter.section("vectors that passed, by kind and runtime")
        for line in table(found):
            terminalreporter.write_line(line)


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
        return Finished(stopped.value.code or 0, streams.out, streams.err)

    return run


@pytest.fixture
def database(data, request) -> Iterator[Database]:
    """A registry with one open product and the devices imei(0) … imei(9).

    It is in the data folder; with serving.ON_BOTH the test also runs on PostgreSQL.
    """
    where = data.registry
    if getattr(request, "param", "sqlite") == "postgresql":
        where = request.getfixturevalue("postgres").new_database()
    with open_database(where) as opened:
        products.add(
            opened,
            "Tracker",
            policy=Policy.OPEN,
            product_key=PRODUCT,
            mqtt_host="mqtt.test",
        )
        rows = [devices.checked_row(n, imei(n), None) for n in range(10)]
        devices.register(opened, PRODUCT, rows)
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
