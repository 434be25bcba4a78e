"""A slice of every suite of faults; make faults runs all of them."""

import pytest

from pointctl.boards import repl_link
from tests import runtimes
from tests.faults.__main__ import SUITES, run


@pytest.mark.parametrize("name", SUITES)
def test_slice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A little of each, with a seed that never changes."""
    runtimes.micropython()
    if name == "clocks":
        runtimes.need("faketime")
    for patience in ("_STEP_S", "_HASH_S"):  # deploy shortens it for good
        monkeypatch.setattr(repl_link, patience, getattr(repl_link, patience))
    rows = run([name], seed=1, short=True)
    assert sum(row.cases for row in rows) > 0
    assert not [failure for row in rows for failure in row.failures]
    assert not any(row.bad for row in rows)
