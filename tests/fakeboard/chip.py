"""A MicroPython process as the chip of a fake board: orders, reports, keys, text."""

import array
import fcntl
import json
import os
import signal
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointctl.children import Child

VM = Path(__file__).parent / "inside/run.py"
# A second SIGINT before the first one was raised kills MicroPython.
_BETWEEN_INTERRUPTS_S = 0.2
_SLEEPS_WITHIN_S = 0.3  # unless it only computes, without sleeping
_ACK, _NO_NUMBER = 128, 127  # as in inside/run.py


class Chip:
    """The chip from one power-up or reset to the next."""

    def __init__(
        self,
        command: Path,
        heap: int,
        flash: Path,
        setup: Mapping[str, Any],
        environment: Mapping[str, str],
    ) -> None:
        orders, self._orders = os.pipe()
        self.reports, reports = os.pipe()
        self._stdin, self._keys = os.pipe()  # keep the reading end, too: see unread()
        self.output, stdout = os.pipe()
        os.set_blocking(self._keys, False)
        setup = {**setup, "flash": str(flash), "orders": orders, "reports": reports}
        try:
            self._process = Child[bytes](
                [command, "-X", f"heapsize={heap}", VM],
                cwd=flash,
                env={**os.environ, **environment, "FAKEBOARD": json.dumps(setup)},
                stdin=self._stdin,
                stdout=stdout,
                stderr=stdout,
                pass_fds=(orders, reports),
                start_new_session=True,  # Ctrl-C in the terminal must not reach it
            )
        finally:
            for end in (orders, reports, stdout):
                os.close(end)
        self._interrupted_at = 0.0
        self._number = 0  # of the last report

    def order(self, how: str, text: bytes) -> None:
        """Order it to run a program, or the file of that name."""
        self._tell(f"{how} {len(text)}\n".encode() + text)

    def heard(self, interrupt: bool) -> bytes:
        """Return the next report: b"" after the end, b"-" for a repeated one.

        Acknowledges it. A program that begins gets an `interrupt` that waits.
        """
        report = os.read(self.reports, 2)
        if len(report) < 2 or report[1] == _NO_NUMBER:
            return report[:1]
        waiting = b"\x03" if interrupt and report[:1] == b"b" else b""
        self._tell(waiting + bytes([_ACK + report[1]]))
        twice, self._number = report[1] == self._number, report[1]
        return b"-" if twice else report[:1]

    def _tell(self, order: bytes) -> None:
        try:
            while order:
                order = order[os.write(self._orders, order) :]
        except BrokenPipeError:
            pass  # the process has ended, and so have its reports

    def interrupt(self) -> None:
        """Send Ctrl-C, if possible while the process sleeps.

        MicroPython leaves its signal handler by a jump. If the signal came within
        malloc(), it would wait for libc's lock for ever.
        """
        now = time.monotonic()
        if now - self._interrupted_at <= _BETWEEN_INTERRUPTS_S:
            return
        until = now + _SLEEPS_WITHIN_S
        while not self._sleeps() and time.monotonic() < until:
            time.sleep(0.001)
        self._interrupted_at = time.monotonic()
        self._process.send_signal(signal.SIGINT)

    def _sleeps(self) -> bool:
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        return stat.rpartition(") ")[2].startswith("S")

    def type(self, keys: bytes) -> int:
        """Pass what the host typed to the program; return how many bytes fitted."""
        try:
            return os.write(self._keys, keys)
        except BlockingIOError:
            return 0

    def unread(self) -> bytes:
        """Return what the program did not read; from now on it is for the REPL."""
        return _available(self._stdin)

    def printed(self) -> bytes:
        """Return what it has printed since the last call."""
        return _available(self.output)

    def kill(self) -> int:
        """Kill the process; return its exit code, if it had ended by itself."""
        self._process.kill()
        code = self._process.wait()
        for end in (self._orders, self.reports, self._stdin, self._keys, self.output):
            os.close(end)
        return code


def _available(end: int) -> bytes:
    count = array.array("i", [0])
    fcntl.ioctl(end, termios.FIONREAD, count)
    return os.read(end, count[0]) if count[0] else b""
