"""A slice of the shift at the factory; make faults-factory runs all of it."""

from tests import runtimes
from tests.faults.factory import SLICE, run


def test_slice() -> None:
    """Eight boards, a kill, cut cables and a network that breaks; a seed that stays."""
    runtimes.micropython()
    (row,) = run(1, SLICE)
    assert row.cases > 30, row.failures
    assert not row.bad, row.failures
