"""What tests of every folder may stand on: new registries, a PostgreSQL server."""

import gc
import os
from collections.abc import Iterator

import pytest

from tests import databases
from tests import postgres as server

# The files that take longest. They begin first, so that none is left over at the end
# for one process alone; who is not here only costs time.
_LONG = (
    "test_console_browser.py",
    "test_boards_link.py",
    "test_server_abuse.py",
    "test_server_slice.py",
    "test_factory_process.py",
    "test_boards_deploy.py",
    "test_quecpython.py",
    "test_slice.py",
    "test_field.py",
    "test_bench.py",
    "test_factory_slice.py",
    "test_hostile_answers.py",
    "test_quecpython_module.py",
    "test_server_hooks.py",
    "test_gizwits_preauth_abuse.py",
    "test_readme.py",
    "test_demo.py",
    "test_esp32_module.py",
    "test_contract.py",
    "test_fakeboard.py",
    "test_gizwits_page.py",
    "test_server_workers.py",
    "test_device_runtime.py",
    "test_dist.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """CI tells which tests are slowest."""
    if os.environ.get("CI") == "true" and config.option.durations is None:
        config.option.durations = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, the others as they are."""
    place = {name: number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(_LONG)))


def pytest_collection_finish() -> None:
    """What has been imported stays: gc.collect() need not walk through it again.

    Device code calls it at every turn, and here it took a second each time.
    """
    gc.collect()
    gc.freeze()


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
