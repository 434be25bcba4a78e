"""A link over mpremote's transport, for boards with MicroPython's own firmware.

The only file that imports mpremote: its API has no promises, so its version is pinned.
Of it we use raw REPL and raw paste, whose flow control small boards need for long
programs. tests/host/test_boards_link_mpremote.py holds what we rely on.
"""

from typing import ClassVar

from mpremote import transport_serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from pointctl.boards.link import Link, LinkError
from pointctl.boards.repl_link import ReplLink
from pointctl.boards.serial_line import BAUD, Line, opened

# It prints what comes instead of the REPL: that is not ours to show. By its own name
# for print: sys.stdout belongs to all threads, and each may talk to a board.
vars(transport_serial)["print"] = lambda *_: None

_OPEN_S = 1
_TRY_S = 2  # a board that did not hear the first Ctrl-C may hear the next


class MpremoteLink(ReplLink):
    """A board with MicroPython's firmware, at its raw REPL."""

    restart: ClassVar[str] = "from machine import reset as _restart"

    def __init__(self, transport: SerialTransport) -> None:
        super().__init__(Line(transport.device_name, transport.serial))
        self._transport = transport
        self._transport.serial = self._line

    def _entered(self) -> bool:
        patience = min(_TRY_S, self._line.left())
        try:
            self._transport.enter_raw_repl(soft_reset=False, timeout_overall=patience)
        except TransportError:
            return False
        return True

    def _start(self, source: str) -> None:
        try:
            self._transport.exec_raw_no_follow(source)
        except TransportError as error:
            raise self._garbled() from error

    def _finish(self) -> tuple[bytes, bytes]:
        try:
            printed, error = self._transport.follow(timeout=None)
        except TransportError as failed:
            raise self._garbled() from failed
        return printed, error


def open_link(port: str, *, timeout_s: float) -> Link:
    """The board at `port`, whatever it was doing interrupted. Raises LinkError."""
    try:
        transport = SerialTransport(port, baudrate=BAUD, timeout=_OPEN_S)
    except TransportError as error:
        opened(port).close()  # tells why not, which mpremote does not
        raise LinkError(f"{port} cannot be opened: {error}; try again") from error
    link = MpremoteLink(transport)
    try:
        link.interrupt(timeout_s)
    except BaseException:
        link.close()
        raise
    return link
