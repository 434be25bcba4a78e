"""A link of our own to a raw REPL, for QuecPython.

mpremote's file commands want modules that its firmware does not have, and its raw REPL
is that of MicroPython 1.13: no raw paste, so no flow control but small pieces.
"""

import time
from typing import ClassVar

from pointctl.boards.link import Link
from pointctl.boards.repl_link import ReplLink
from pointctl.boards.serial_line import Line, opened

_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_TRY_S = 2  # a board that did not hear the first Ctrl-C may hear the next
_PIECE = 255  # bytes at a time, as the vendor's own tool sends them
_PAUSE_S = 0.01


class QuecPythonLink(ReplLink):
    """A QuecPython board at its raw REPL."""

    restart: ClassVar[str] = "from misc import Power; _restart = Power.powerRestart"

    def _entered(self) -> bool:
        until = time.monotonic() + min(_TRY_S, self._line.left())
        self._line.write(b"\r\x03")  # Ctrl-C
        self._line.drain()
        self._line.write(b"\r\x01")  # Ctrl-A
        came = b""
        while time.monotonic() < until:
            came += self._line.read_some()
            if came.endswith(_BANNER):
                return True
        return False

    def _start(self, source: str) -> None:
        data = source.encode() or b"\n"  # nothing at all would be a soft reset
        for start in range(0, len(data), _PIECE):
            self._line.write(data[start : start + _PIECE])
            time.sleep(_PAUSE_S)
        self._line.write(b"\x04")  # Ctrl-D
        if self._line.read(2) != b"OK":
            raise self._garbled()

    def _finish(self) -> tuple[bytes, bytes]:
        printed = self._line.read_until(b"\x04")[:-1]
        error = self._line.read_until(b"\x04")[:-1]
        if self._line.read() != b">":
            raise self._garbled()
        return printed, error


def open_link(port: str, *, timeout_s: float) -> Link:
    """The board at `port`, whatever it was doing interrupted. Raises LinkError."""
    link = QuecPythonLink(Line(port, opened(port)))
    try:
        link.interrupt(timeout_s)
    except BaseException:
        link.close()
        raise
    return link
