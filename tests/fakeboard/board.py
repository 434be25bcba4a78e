"""A fake board: a line, a REPL and a chip, with every fault that they can have.

The bridge is a thread that passes bytes between them. It knows when a program runs:
then Ctrl-C interrupts the program, and what it did not read goes to the REPL, in order.
"""

import contextlib
import os
import queue
import select
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import runtimes
from tests.fakeboard.chip import Chip
from tests.fakeboard.kinds import KINDS
from tests.fakeboard.line import Line
from tests.fakeboard.repl import CTRL_C, Program, Repl, SoftReset
from tests.patience import PATIENCE_S

IMEI = "490154203237518"
PROGRAM, REPL, WAITS = "program", "repl", "waits"  # who gets what the host types
_BUFFER = 64 * 1024  # bytes kept for the host to read; the rest is lost, as on a UART
_POLL_S = 0.02  # between checks whether a host has opened the line
_ENUMERATION_S = 1.5  # for the host to open the port again
_RESET_S = 0.2  # a real one takes a second or more


Request = tuple[
    Callable[[], None], threading.Event
]  # what to do, and the event that is set afterwards


@dataclass
class Faults:
    """The faults to simulate. Counts are of bytes that the host sent since power-up."""

    unplug_after: int | None = None  # the cable, which also powers the board
    mute_after: int | None = None
    flash_bytes: int = 2 * 1024 * 1024  # the size of the flash
    deaf_s: float = 0  # for so long after a reset it ignores Ctrl-C
    garbage: bytes = b""  # printed before anything else at a start
    bytes_per_s: int = 0  # in both directions; 0: no limit


class FakeBoard:
    """One board at one port. The flash stays; the line and the chip come and go."""

    def __init__(
        self,
        kind: str,
        flash: Path,
        port: Path,
        imei: str,
        faults: Faults,
        environment: Mapping[str, str],
    ) -> None:
        self.flash = flash
        self.faults = faults
        self.resets = 0  # of the chip, soft and hard, and the first power-up
        self._kind = KINDS[kind]
        self._environment = {**environment, "POINTACCESS_IMEI": imei}
        if script := environment.get("SHIM_SCRIPT"):
            self._environment["SHIM_SCRIPT"] = f"/.host{script}"
        self._line = Line(port)
        self._chip: Chip | None = None
        self._repl = Repl(self._kind.banner, raw_paste=self._kind.raw_paste)
        self._printed = bytearray()
        self._micropython = runtimes.micropython()
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._serve, name=f"fake {kind}")
        self._broke: BaseException | None = None
        self._clear()

    # What tests do to the board, from their own threads.

    @property
    def port(self) -> str:
        """The path of the port, which exists while the board is plugged in."""
        return str(self._line.port)

    @property
    def output(self) -> str:
        """Everything that the board printed, even if no host read it."""
        return self._printed.decode(errors="replace")

    def plug(self) -> None:
        """Plug the board in, which starts it."""
        self._ask(self._power_up)

    def unplug(self) -> None:
        """Pull the cable, which also powers the board."""
        self._ask(self._power_down)

    def mute(self, mute: bool = True) -> None:
        """Stop the line in both directions; the board goes on."""
        self._ask(lambda: self._silence(mute))

    def reset(self) -> None:
        """Press the reset button."""
        self._ask(self._hard_reset)

    def say(self, data: bytes) -> None:
        """Make the board print something at this moment."""
        self._ask(lambda: self._say(data))

    def wait_for(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the board has printed this. Raises TimeoutError otherwise."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {text!r} in {self.output!r}")
            if not self._thread.is_alive():
                raise RuntimeError("the fake board broke down") from self._broke
            time.sleep(0.01)

    def start(self) -> None:
        """Start the bridge, and plug the board in."""
        (self.flash / self._kind.folder).mkdir(exist_ok=True)
        self._thread.start()
        self.plug()

    def stop(self) -> None:
        """End everything. Raises the error that ended the bridge, if any."""
        if self._thread.ident:
            self._requests.put(None)
            os.write(self._waker, b"\n")
            self._thread.join()
        self._power_down()
        os.close(self._wake)
        os.close(self._waker)
        if self._broke:
            raise self._broke

    def _ask(self, request: Callable[[], None]) -> None:
        """Let the bridge carry out the request, and wait for that."""
        done = threading.Event()
        self._requests.put((request, done))
        os.write(self._waker, b"\n")
        while not done.wait(0.1):
            if not self._thread.is_alive():
                raise RuntimeError("the fake board broke down") from self._broke

    # Power and resets, all in the bridge's thread.

    def _clear(self) -> None:
        self._mute = False
        self.received = 0  # bytes from the host since power-up
        self._typed = bytearray()  # by the host, and not read yet
        self._said = bytearray()  # by the board, and not read by the host yet

    def _power_up(self) -> None:
        if self._line.master is not None:
            return
        self._clear()
        self._line.plug()
        self._repl.raw = False
        self._say(self._kind.rom)
        self._start_chip()

    def _power_down(self) -> None:
        self._line.unplug()
        self._stop_chip()

    def _silence(self, mute: bool = True) -> None:
        self._mute = mute
        self._said.clear()

    def _hard_reset(self) -> None:
        self._stop_chip()
        if self._kind.own_usb:
            self._line.unplug()
            time.sleep(_RESET_S)
            self._line.plug()
            # A module appears on USB some time before its main.py runs.
            until = time.monotonic() + _ENUMERATION_S
            while not self._line.opened and time.monotonic() < until:
                time.sleep(_POLL_S)
        self._typed.clear()
        self._repl.raw = False
        self._say(self._kind.rom)
        self._start_chip()

    def _soft_reset(self) -> None:
        self._stop_chip()
        self._say(b"MPY: soft reboot\r\n")
        self._start_chip()

    def _start_chip(self) -> None:
        self.resets += 1
        self._chip = Chip(
            self._micropython,
            self._kind.heap,
            self.flash,
            {**self._kind.setup(), "size": self.faults.flash_bytes},
            self._environment,
        )
        self._say(self.faults.garbage)
        self._started_at = time.monotonic()
        self._interruptible = False
        self._interrupt = False  # a Ctrl-C that waits until it is interruptible
        self._text = True  # the output is text; else bytes, whose newlines stay
        self._failed = False  # the program raised an error
        # In the raw REPL a board does not start main.py, so that tools can work.
        starts = [
            name
            for name in self._kind.starts
            if not (self._repl.raw and name.endswith("main.py"))
        ]
        self._starts = [name for name in starts if (self.flash / name).is_file()]
        self._booting = True
        self._takes = WAITS
        self._up = False

    def _stop_chip(self) -> None:
        if self._chip:
            self._say_printed()
            self._chip.kill()
            self._chip = None

    def _go_on(self) -> None:
        """Start boot.py, then main.py, then the REPL."""
        assert self._chip
        if self._starts:
            self._takes = PROGRAM
            self._chip.order("file", self._starts.pop(0).encode())
        elif self._booting:
            self._takes, self._booting = REPL, False
            self._say(self._repl.greeting())
        else:
            self._takes = REPL
            self._say(self._repl.prompt())

    # The reports of the chip.

    def _heed(self) -> None:
        assert self._chip
        self._say_printed()  # printed before the report
        report = self._chip.heard(self._interrupt)
        if report == b"-":
            return
        if report == b"w":  # the chip waits for an order
            self._up = True
            self._go_on()
            self._type()  # a Ctrl-C that waits is delivered when the program begins
        elif report == b"b":  # a program begins
            self._interruptible, self._interrupt = True, False
        elif report == b"e":  # the program failed; its traceback follows
            self._interruptible = False
            self._failed = True
            self._say_end()
        elif report in (b"d", b"x"):  # the program has ended; x: by SystemExit
            self._ended()
            if report == b"x":
                time.sleep(_RESET_S if self._booting else 0)
                self._soft_reset()
                return
        elif report == b"n":  # bytes follow, not text
            self._text = self._interruptible = False
        elif report == b"i":
            self._text = self._interruptible = True
        elif not self._up:
            raise RuntimeError(f"the fake board does not start: {self.output[-800:]}")
        else:  # r: machine.reset(); or nothing: MicroPython has ended
            self._say(b"" if report else b"\r\nabort() was called\r\n")
            time.sleep(_RESET_S)
            self._hard_reset()
            return
        if self._interrupt and self._interruptible:
            self._interrupt = False
            self._chip.interrupt()

    def _ended(self) -> None:
        assert self._chip
        if not self._failed:
            self._say_end()
        self._say_end()
        self._typed[:0] = self._chip.unread()
        self._takes, self._text = WAITS, True
        self._interruptible = self._interrupt = self._failed = False

    def _say_end(self) -> None:
        if self._repl.raw and not self._booting:
            self._say(b"\x04")

    # Input and output.

    def _say(self, data: bytes) -> None:
        self._printed += data
        if not self._mute:
            self._said += data
            del self._said[:-_BUFFER]

    def _say_printed(self) -> None:
        assert self._chip
        data = self._chip.printed()
        self._say(data.replace(b"\n", b"\r\n") if self._text else data)

    def _take(self, data: bytes) -> None:
        """Accept what the host sent, up to the byte of the next fault."""
        self.received += len(data)
        for limit, strike in (
            (self.faults.unplug_after, self._power_down),
            (self.faults.mute_after, self._silence),
        ):
            if limit is not None and self.received >= limit and not self._mute:
                self._typed += data[: len(data) - (self.received - limit)]
                self._type()
                strike()
                return
        if not self._mute:
            self._typed += data

    def _type(self) -> None:
        """Pass what is typed to the program or to the REPL."""
        while self._typed and self._chip and self._takes != WAITS:
            if self._takes == PROGRAM:
                if not self._type_to_program():
                    return
                continue
            answer, wanted = self._repl.feed(self._typed.pop(0))
            self._say(answer)
            if isinstance(wanted, Program):
                self._takes = PROGRAM
                self._chip.order(wanted.how, wanted.source)
            elif isinstance(wanted, SoftReset):
                self._soft_reset()

    def _type_to_program(self) -> bool:
        """Return False if the program's input is full."""
        assert self._chip
        stop = self._typed.find(CTRL_C) if self._text else -1
        keys = self._typed[: stop if stop >= 0 else None]
        taken = self._chip.type(bytes(keys)) if keys else 0
        del self._typed[:taken]
        if taken < len(keys):
            return False
        if stop >= 0:
            del self._typed[:1]
            if time.monotonic() - self._started_at >= self.faults.deaf_s:
                if self._interruptible:
                    self._chip.interrupt()
                else:
                    self._interrupt = True
        return True

    # The bridge.

    def _serve(self) -> None:
        try:
            while self._step():
                pass
        except BaseException as error:
            self._broke = error

    def _step(self) -> bool:
        """Wait for an event and handle it; return False at the end."""
        opened = self._line.opened
        if not opened:
            self._said.clear()
        for end in self._ready(opened):
            if end == self._wake:
                os.read(self._wake, 1)
                wanted = self._requests.get()
                if wanted is None:
                    return False
                request, done = wanted
                request()
                done.set()
                return True  # what else was ready may be closed now
            if end == self._line.master:
                self._transfer()
            elif self._chip and end == self._chip.output:
                self._say_printed()
            elif self._chip and end == self._chip.reports:
                self._heed()
                return True
        self._type()
        return True

    def _ready(self, opened: bool) -> list[int]:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if opened:
            assert self._line.master is not None
            wanted = select.POLLIN | (select.POLLOUT if self._said else 0)
            poll.register(self._line.master, wanted)
        if self._chip:
            poll.register(self._chip.reports, select.POLLIN)
            if len(self._said) < _BUFFER // 2:
                poll.register(self._chip.output, select.POLLIN)
        return [end for end, _ in poll.poll(None if opened else _POLL_S * 1000)]

    def _transfer(self) -> None:
        speed = self.faults.bytes_per_s
        piece = self._said[: max(1, speed // 20) if speed else None]
        sent = self._line.write(bytes(piece)) if piece else 0
        del self._said[:sent]
        data = self._line.read()
        if data:
            self._take(data)
        if speed:
            time.sleep((sent + len(data)) / speed)


@contextlib.contextmanager
def fake_board(
    kind: str,
    flash: Path,
    *,
    imei: str = IMEI,
    port: Path | None = None,
    faults: Faults | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[FakeBoard]:
    """Run a board of a `kind` of KINDS, plugged in; it leaves nothing behind.

    The folder `flash` is its flash. `port` becomes a symlink to the pty. `environment`
    is for the shims of its firmware's modules.
    """
    with tempfile.TemporaryDirectory(prefix="fakeboard-") as folder:
        board = FakeBoard(
            kind,
            flash.resolve(),
            port or Path(folder) / "port",
            imei,
            faults or Faults(),
            environment or {},
        )
        try:
            board.start()
            yield board
        finally:
            board.stop()
