"""A link over mpremote's transport, for boards with MicroPython's own firmware.

This is the only file that imports mpremote: its API may change with any release, so its
version is pinned. We use its raw REPL and raw paste, because small boards need that
flow control for long programs. tests/host/boards/test_link_mpremote.py checks what we
rely on.
"""

from typing import ClassVar

from mpremote import transport_serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from pointctl.boards.link import Link, LinkError, garbled_error
from pointctl.boards.repl_link import ReplLink
from pointctl.boards.serial_line import BAUD, SerialLine, open_port

# mpremote prints what it receives instead of the REPL's prompt; we do not show that.
# Its own name for print is replaced, because sys.stdout belongs to all threads, and
# each of them may talk to a board.
vars(transport_serial)["print"] = lambda *_: None

_OPEN_S = 1
_TRY_S = 2  # a board that missed the first Ctrl-C may react to the next


class MpremoteLink(ReplLink):
    """A board with MicroPython's firmware, at its raw REPL."""

    restart_source: ClassVar[str] = "from machine import reset as _restart"

    def __init__(self, transport: SerialTransport) -> None:
        super().__init__(SerialLine(transport.device_name, transport.serial))
        self._transport = transport
        self._transport.serial = self._line

    def _enter_raw_repl(self) -> bool:
        timeout_s = min(_TRY_S, self._line.remaining_s())
        try:
            self._transport.enter_raw_repl(soft_reset=False, timeout_overall=timeout_s)
        except TransportError:
            return False
        return True

    def _start(self, source: str) -> None:
        try:
            self._transport.exec_raw_no_follow(source)
        except TransportError as error:
            raise garbled_error(self.port) from error

    def _finish(self) -> tuple[bytes, bytes]:
        try:
            printed, error = self._transport.follow(timeout=None)
        except TransportError as failed:
            raise garbled_error(self.port) from failed
        return printed, error


def open_link(port: str, *, timeout_s: float) -> Link:
    """Interrupt the board at `port`, and open its REPL. Raises LinkError."""
    try:
        transport = SerialTransport(port, baudrate=BAUD, timeout=_OPEN_S)
    except TransportError as error:
        open_port(port).close()  # its error says why; mpremote's does not
        raise LinkError(f"{port} cannot be opened: {error}; try again") from error
    link = MpremoteLink(transport)
    try:
        link.interrupt(timeout_s)
    except BaseException:
        link.close()
        raise
    return link
