"""What tests of every folder may stand on: a PostgreSQL server."""

from collections.abc import Iterator

import pytest

from tests import postgres as server


@pytest.fixture(scope="session")
def postgres() -> Iterator[server.Cluster]:
    """A PostgreSQL for all tests; each takes a new database of it.

    Without fsync: nobody cuts the power of this one.
    """
    with server.cluster("fsync=off", "max_connections=200") as cluster:
        yield cluster
