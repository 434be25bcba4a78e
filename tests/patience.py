"""How long tests wait for what has to come; no test judges time.

It is the one deadline of all tests, so long that only what will never come misses it,
also on a machine that is busy with other things. pytest's own timeout is longer still.
"""

import time
from collections.abc import Callable

PATIENCE_S = 600


def until(come: Callable[[], object], told: object = "") -> None:
    """Wait for something to be so. Fails with what is `told` where it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while not come():
        assert time.monotonic() < deadline, told
        time.sleep(0.01)
