"""What a running board prints, overheard: nothing is sent, nothing interrupted."""

import time
from collections.abc import Iterator

from pointctl.boards.serial_line import Line, opened

_LOOK_S = 1


def lines(port: str, timeout_s: float | None) -> Iterator[str]:
    """Each line, until `timeout_s` has passed; None is for ever.

    Raises LinkError for a port that cannot be opened, or goes away.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    line = Line(port, opened(port))
    try:
        came = b""
        while deadline is None or time.monotonic() < deadline:
            with line.within(_LOOK_S):
                came += line.read_some()
            *whole, came = came.split(b"\n")
            for each in whole:
                yield each.decode(errors="replace").rstrip("\r")
    finally:
        line.close()
