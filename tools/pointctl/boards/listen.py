"""What a running board prints, overheard: nothing is sent, nothing interrupted."""

import time
from collections.abc import Iterator

import serial

from pointctl.boards.link import LinkError

_BAUD = 115200
_LOOK_S = 0.2


def lines(port: str, timeout_s: float | None) -> Iterator[str]:
    """Each line, until `timeout_s` has passed; None is for ever.

    Raises LinkError for a port that cannot be opened, or goes away.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        with serial.Serial(port, _BAUD, timeout=_LOOK_S, exclusive=True) as line:
            said = b""
            while deadline is None or time.monotonic() < deadline:
                *whole, said = (said + line.read(line.in_waiting or 1)).split(b"\n")
                yield from (
                    each.decode(errors="replace").rstrip("\r") for each in whole
                )
    except (serial.SerialException, OSError) as error:
        raise LinkError(
            f"{port}: {error}; see pointctl boards list, and that nothing else uses it"
        ) from error
