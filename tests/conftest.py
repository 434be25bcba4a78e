"""What tests of every folder may stand on: new registries, a PostgreSQL server."""

from collections.abc import Iterator

import pytest

from tests import databases
from tests import postgres as server


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
