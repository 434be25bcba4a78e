"""A slice of the server's faults; make faults-server runs all of them."""

from tests.faults.server import SLICE, run


def test_slice() -> None:
    """A little of each, with a seed that never changes."""
    rows = list(run(1, SLICE))
    assert len(rows) == 8
    assert all(row.cases > 50 for row in rows)
    assert not [failure for row in rows for failure in row.failures]
    assert not any(row.bad for row in rows)
