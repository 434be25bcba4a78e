"""What tests of every folder may stand on: new registries, a PostgreSQL server."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases, forked
from tests import postgres as server

TESTS = Path(__file__).parent

# The files that take longest. They begin first, so that none is left over at the end
# for one process alone. A file that is missing here only costs time.
LONG_FILES = (
    "host/server/test_console_browser.py",
    "host/boards/test_link.py",
    "host/server/test_abuse.py",
    "faults/test_server_slice.py",
    "e2e/test_factory_process.py",
    "e2e/test_boards_deploy.py",
    "boards/test_quecpython.py",
    "faults/test_slice.py",
    "e2e/test_field.py",
    "host/gates/test_bench.py",
    "faults/test_factory_slice.py",
    "e2e/test_hostile_answers.py",
    "e2e/test_quecpython_module.py",
    "host/server/test_broker_hooks.py",
    "host/clouds/test_gizwits_preauth_abuse.py",
    "e2e/test_readme.py",
    "e2e/test_demo.py",
    "e2e/test_esp32_module.py",
    "boards/test_contract.py",
    "boards/test_fakeboard.py",
    "host/docs/test_gizwits_page.py",
    "host/server/test_workers.py",
    "host/point/test_device_runtime.py",
    "host/downloads/test_dist.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """CI tells which tests are slowest. Programs that tests start hear Ctrl-C."""
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # as a shell's background jobs
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("CI") == "true" and config.option.durations is None:
        config.option.durations = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, the others as they are."""
    place = {TESTS / name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(LONG_FILES)))


def pytest_collection_finish() -> None:
    """What has been imported stays: gc.collect() need not walk through it again.

    Device code calls it at every turn, and here it took a second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """The process that servers are copied from is not left behind."""
    forked.end_original()


@pytest.fixture(scope="session", autouse=True)
def copied_registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SQLite registries that tests open anew are copies of one that was migrated."""
    with databases.copied(tmp_path_factory.mktemp("template")):
        yield


@pytest.fixture
def migrated_registries(copied_registries: None) -> Iterator[None]:
    """Each is migrated from nothing all the same."""
    with databases.migrated():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[server.Cluster]:
    """A PostgreSQL for all tests; each takes a new registry or database of it.

    Without fsync: nobody cuts the power of this one.
    """
    with server.cluster("fsync=off", "max_connections=200") as cluster:
        yield cluster
