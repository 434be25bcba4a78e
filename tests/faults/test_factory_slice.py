"""A slice of the shift at the factory; make faults-factory runs all of it."""

import pytest

from tests import runtimes
from tests.faults.factory import SLICE, SOURCES, run


@pytest.mark.parametrize("source", SOURCES)
def test_slice(source: str) -> None:
    """Eight boards, a kill, cut cables and a network that breaks; a seed that stays."""
    runtimes.micropython()
    (row,) = run(1, SLICE, [source])
    assert row.cases > 30, row.failures
    assert not row.bad, row.failures
