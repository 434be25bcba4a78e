"""A serial port on which nothing lasts longer than it may, and whose errors say why."""

import contextlib
import errno
import time
from collections.abc import Iterator

import serial

from pointctl.boards.link import LinkError

BAUD = 115200
_POLL_S = 0.01  # the longest that a look at the port waits for something to come
_QUIET_S = 0.05
_DRAIN_S = 0.5
_BUSY = (errno.EBUSY, errno.EAGAIN)


class Line:
    """A pyserial port with a deadline for all of its calls, set by within().

    Looks like pyserial's own to mpremote's transport. Whatever goes wrong below it is
    a LinkError that says what to do.
    """

    def __init__(self, port: str, opened: serial.Serial) -> None:
        self.port = port
        self.heard = False  # anything at all
        self._serial = opened
        self._serial.timeout = _POLL_S
        self._came = bytearray()
        self._deadline = 0.0

    @contextlib.contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """All calls end in so many seconds from now."""
        self._deadline = time.monotonic() + timeout_s
        try:
            self._serial.write_timeout = timeout_s
            yield
        except serial.SerialTimeoutException:
            raise self._too_late() from None
        except OSError as error:
            raise LinkError(
                f"{self.port} was unplugged, or its board went away: plug it in and "
                "try again"
            ) from error

    def left(self) -> float:
        """Seconds until the deadline. Raises LinkError if it is over."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._too_late()
        return left

    def inWaiting(self) -> int:
        """How many bytes are there."""
        self.left()
        return len(self._came) + self._serial.in_waiting

    def read(self, size: int = 1) -> bytes:
        """Exactly so many bytes."""
        while len(self._came) < size:
            self.left()
            self._fill()
        data = bytes(self._came[:size])
        del self._came[:size]
        return data

    def read_until(self, ending: bytes) -> bytes:
        """What comes up to and with `ending`."""
        data = bytearray()
        while not data.endswith(ending):
            data += self.read()
        return bytes(data)

    def read_some(self) -> bytes:
        """What is there; waits a moment for the first byte, not for the deadline."""
        self._fill()
        data = bytes(self._came)
        self._came.clear()
        return data

    def drain(self) -> None:
        """Forget what comes, until it is quiet or plainly will not be."""
        quiet_since = now = time.monotonic()
        until = now + _DRAIN_S
        while now < min(until, quiet_since + _QUIET_S):
            self.left()
            spoken = self.read_some()
            now = time.monotonic()
            if spoken:
                quiet_since = now

    def write(self, data: bytes) -> None:
        """All of it."""
        self.left()
        self._serial.write(data)

    def reopen(self) -> None:
        """Open the port again, when its board has come back. Raises LinkError."""
        self._serial.close()
        self._serial = opened(self.port)
        self._serial.timeout = _POLL_S

    def close(self) -> None:
        """Let go of the port, whatever has become of it."""
        with contextlib.suppress(OSError):
            self._serial.close()

    def _fill(self) -> int:
        data = self._serial.read(max(1, self._serial.in_waiting))
        self._came += data
        self.heard = self.heard or bool(data)
        return len(data)

    def _too_late(self) -> LinkError:
        if not self.heard:
            return LinkError(
                f"the board at {self.port} does not answer: is it the right port (see "
                "pointctl boards list), and has the board power? If its main.py blocks "
                "the REPL, press its reset button and try again at once"
            )
        return LinkError(
            f"{self.port} speaks, but its REPL does not answer in time: either it is "
            "no MicroPython (of a cellular module's ports only one is the REPL), or "
            "its main.py does not let go; press its reset button and try again at once"
        )


def opened(port: str) -> serial.Serial:
    """The port, for us alone. Raises LinkError that says why not."""
    try:
        return serial.serial_for_url(
            port, baudrate=BAUD, timeout=_POLL_S, exclusive=True
        )
    except (OSError, ValueError) as error:
        raise LinkError(_why(port, error)) from error


def _why(port: str, error: Exception) -> str:
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.ENOENT or "FileNotFoundError" in text:
        return f"there is no port {port}: plug the board in; see pointctl boards list"
    if number in _BUSY or "PermissionError" in text:  # Windows' word for it
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
