"""Our own link to a raw REPL, for QuecPython.

mpremote's file commands need modules that QuecPython's firmware does not have. Its raw
REPL is that of MicroPython 1.13, without raw paste: sending small pieces is the only
flow control.
"""

import time
from typing import ClassVar

from pointctl.boards.link import Link, garbled_error
from pointctl.boards.repl_link import ReplLink
from pointctl.boards.serial_line import SerialLine, open_port

_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_TRY_S = 2  # a board that missed the first Ctrl-C may react to the next
_PIECE_BYTES = 255  # as the vendor's own tool sends them
_PAUSE_S = 0.01


class QuecPythonLink(ReplLink):
    """A QuecPython board at its raw REPL."""

    restart_source: ClassVar[str] = (
        "from misc import Power; _restart = Power.powerRestart"
    )

    def _enter_raw_repl(self) -> bool:
        until = time.monotonic() + min(_TRY_S, self._line.remaining_s())
        self._line.write(b"\r\x03")  # Ctrl-C
        self._line.drain()
        self._line.write(b"\r\x01")  # Ctrl-A
        received = b""
        while time.monotonic() < until:
            received += self._line.read_some()
            if received.endswith(_BANNER):
                return True
        return False

    def _start(self, source: str) -> None:
        data = source.encode() or b"\n"  # an empty program would be a soft reset
        for start in range(0, len(data), _PIECE_BYTES):
            self._line.write(data[start : start + _PIECE_BYTES])
            time.sleep(_PAUSE_S)
        self._line.write(b"\x04")  # Ctrl-D
        if self._line.read(2) != b"OK":
            raise garbled_error(self.port)

    def _finish(self) -> tuple[bytes, bytes]:
        printed = self._line.read_until(b"\x04")[:-1]
        error = self._line.read_until(b"\x04")[:-1]
        if self._line.read() != b">":
            raise garbled_error(self.port)
        return printed, error


def open_link(port: str, *, timeout_s: float) -> Link:
    """Interrupt the board at `port`, and open its REPL. Raises LinkError."""
    link = QuecPythonLink(SerialLine(port, open_port(port)))
    try:
        link.interrupt(timeout_s)
    except BaseException:
        link.close()
        raise
    return link
