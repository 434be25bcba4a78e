"""A serial port with a deadline for every call, and errors that say what to do."""

import contextlib
import errno
import time
from collections.abc import Iterator

import serial

from pointctl.boards.link import LinkError

BAUD = 115200
_POLL_S = 0.01  # the longest wait of one read of the port
_QUIET_S = 0.05
_DRAIN_S = 0.5
_BUSY = (errno.EBUSY, errno.EAGAIN)


class SerialLine:
    """A pyserial port with a deadline for all its calls, which within() sets.

    It has the methods of pyserial's port that mpremote's transport calls. Every error
    is a LinkError that says what to do.
    """

    def __init__(self, port: str, opened: serial.Serial) -> None:
        self.port = port
        self.has_received = False  # anything since it was opened
        self._serial = opened
        self._serial.timeout = _POLL_S
        self._received = bytearray()
        self._deadline = 0.0

    @contextlib.contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """Set the deadline of all calls in the block: so many seconds from now."""
        self._deadline = time.monotonic() + timeout_s
        try:
            self._serial.write_timeout = timeout_s
            yield
        except serial.SerialTimeoutException:
            raise self._timeout_error() from None
        except OSError as error:
            raise LinkError(
                f"{self.port} was unplugged, or its board went away: plug it in and "
                "try again"
            ) from error

    def remaining_s(self) -> float:
        """Return the seconds until the deadline. Raises LinkError after it."""
        remaining_s = self._deadline - time.monotonic()
        if remaining_s <= 0:
            raise self._timeout_error()
        return remaining_s

    def inWaiting(self) -> int:
        """Return how many bytes can be read now."""
        self.remaining_s()
        return len(self._received) + self._serial.in_waiting

    def read(self, size: int = 1) -> bytes:
        """Read exactly `size` bytes."""
        while len(self._received) < size:
            self.remaining_s()
            self._fill()
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def read_until(self, ending: bytes) -> bytes:
        """Read up to and including `ending`."""
        data = bytearray()
        while not data.endswith(ending):
            data += self.read()
        return bytes(data)

    def read_some(self) -> bytes:
        """Read what can be read now; waits only a moment for the first byte."""
        self._fill()
        data = bytes(self._received)
        self._received.clear()
        return data

    def drain(self) -> None:
        """Discard received bytes until the line is quiet, at most half a second."""
        quiet_since = now = time.monotonic()
        until = now + _DRAIN_S
        while now < min(until, quiet_since + _QUIET_S):
            self.remaining_s()
            data = self.read_some()
            now = time.monotonic()
            if data:
                quiet_since = now

    def write(self, data: bytes) -> None:
        """Write all bytes."""
        self.remaining_s()
        self._serial.write(data)

    def reopen(self) -> None:
        """Open the port again after its board has come back. Raises LinkError."""
        self._serial.close()
        self._serial = open_port(self.port)
        self._serial.timeout = _POLL_S

    def close(self) -> None:
        """Close the port, even if it is gone."""
        with contextlib.suppress(OSError):
            self._serial.close()

    def _fill(self) -> None:
        data = self._serial.read(max(1, self._serial.in_waiting))
        self._received += data
        self.has_received = self.has_received or bool(data)

    def _timeout_error(self) -> LinkError:
        if not self.has_received:
            return LinkError(
                f"the board at {self.port} does not answer: check that this is the "
                "right port (see pointctl boards list), and that the board has power. "
                "If its main.py blocks the REPL, press its reset button and try again "
                "at once"
            )
        return LinkError(
            f"{self.port} sends data, but its REPL does not answer in time: either "
            "this is not a port of MicroPython (a cellular module has one among "
            "several), or main.py cannot be interrupted; press the reset button and "
            "try again at once"
        )


def open_port(port: str) -> serial.Serial:
    """Open the port, exclusively. Raises LinkError that says what to do."""
    try:
        return serial.serial_for_url(
            port, baudrate=BAUD, timeout=_POLL_S, exclusive=True
        )
    except (OSError, ValueError) as error:
        raise LinkError(_explain(port, error)) from error


def _explain(port: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.ENOENT or "FileNotFoundError" in text:
        return f"there is no port {port}: plug the board in; see pointctl boards list"
    if number in _BUSY or "PermissionError" in text:  # on Windows
        return (
            f"{port} is in use by another program: close the serial monitor, Thonny or "
            "mpremote that has it open, and try again"
        )
    if number == errno.EACCES:
        return (
            f"you may not open {port}: on Linux add yourself to its group, usually "
            "`sudo usermod -aG dialout $USER`, then log out and in again"
        )
    return f"{port} cannot be opened as a serial port: {text}"
