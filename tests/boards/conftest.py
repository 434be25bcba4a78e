"""The servers that every board's contract is tried against."""

from collections.abc import Iterator

import pytest

from tests.boards import runner


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[runner.Servers]:
    """All that contract.py asks for, a real broker among them."""
    with runner.serving(tmp_path_factory.mktemp("servers")) as found:
        yield found
