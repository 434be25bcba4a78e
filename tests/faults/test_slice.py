"""A slice of every suite of faults; make faults runs all of them."""

import pytest

from tests import runtimes
from tests.faults.__main__ import SUITES, run


@pytest.mark.parametrize("name", SUITES)
def test_slice(name: str) -> None:
    """A little of each, with a seed that never changes."""
    runtimes.micropython()
    if name == "clocks":
        runtimes.need("faketime")
    rows = run([name], seed=1, short=True)
    assert sum(row.cases for row in rows) > 0
    assert not [failure for row in rows for failure in row.failures]
    assert not any(row.bad for row in rows)
