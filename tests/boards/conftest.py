"""The servers for the tests of every board's contract."""

from collections.abc import Iterator

import pytest

from tests.boards import runner


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[runner.Servers]:
    """Run all servers that contract.py needs, including a real broker."""
    with runner.serving(tmp_path_factory.mktemp("servers")) as found:
        yield found
