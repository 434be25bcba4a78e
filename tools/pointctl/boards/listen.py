"""Read what a running board prints; nothing is sent, and nothing is interrupted."""

import time
from collections.abc import Iterator

from pointctl.boards.serial_line import SerialLine, open_port

_POLL_S = 1


def read_lines(port: str, timeout_s: float | None) -> Iterator[str]:
    """Yield each line until `timeout_s` has passed; None: for ever.

    Raises LinkError for a port that cannot be opened, or goes away.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    line = SerialLine(port, open_port(port))
    try:
        received = b""
        while deadline is None or time.monotonic() < deadline:
            with line.within(_POLL_S):
                received += line.read_some()
            *whole, received = received.split(b"\n")
            for each in whole:
                yield each.decode(errors="replace").rstrip("\r")
    finally:
        line.close()
