"""The station: watch the ports, and process each board that is plugged in.

A board is processed once, and then left alone until it is taken out. If the source did
not answer, the station tries the same board again by itself.
"""

import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pointctl.boards.kinds import BoardKind
from pointctl.factory.domain.units import Reason
from pointctl.factory.station.line import Line, TurnResult
from pointctl.factory.station.tally import Tally

MOST_PORTS = 8
_POLL_S = 0.2
_RETRY_S = 5.0  # after a failure that may end by itself
_TRIES = 3  # a board that was just plugged in may not answer yet
LOOKING = "looking"  # the status at the start of a turn

# Returns the ports that exist now, and the kinds of their boards.
FindPorts = Callable[[], Mapping[str, BoardKind | None]]


class Display(Protocol):
    """Shows people what happens. Only the station's own thread calls it."""

    def show_start(self, tally: Tally) -> None:
        """Show that the station accepts boards."""
        ...

    def show_status(self, port: str, text: str) -> None:
        """Show what happens at a port; an empty text: there is no board."""
        ...

    def show_result(self, port: str, result: TurnResult, seconds: float) -> None:
        """Show the result of a board's turn."""
        ...

    def refresh(self, tally: Tally) -> None:
        """Update the display; called several times a second."""
        ...


@dataclass
class _OccupiedPort:
    kind: BoardKind | None
    plugged_id: tuple[int, ...]  # of _plugged_id(): changes with each plugged board
    began: float = 0.0
    work: Future[TurnResult] | None = None
    turns: int = 0
    retry_at: float | None = None
    is_gone: bool = False


class Station:
    """Processes boards at up to eight ports. Call run() once."""

    def __init__(
        self,
        line: Line,
        find_ports: FindPorts,
        display: Display,
        tally: Tally,
        statuses: "Statuses",
    ) -> None:
        self._line = line
        self._find_ports = find_ports
        self._display = display
        self.tally = tally
        self._statuses = statuses
        self._occupied: dict[str, _OccupiedPort] = {}
        self._stop = threading.Event()

    def stop(self) -> None:
        """Accept no more boards, and finish those in work. A signal may call this."""
        self._stop.set()

    def run(self, *, units: int | None = None, idle_s: float | None = None) -> None:
        """Run until stop(), `units` are done, or no board was present for `idle_s`.

        Raises JournalError: then no board is touched any more.
        """
        quiet_since = time.monotonic()
        self._display.show_start(self.tally)
        with ThreadPoolExecutor(MOST_PORTS, "port") as pool:
            while True:
                self._watch_ports(pool)
                self._collect_results()
                self._display.refresh(self.tally)
                is_busy = any(each.work for each in self._occupied.values())
                has_board = any(not each.is_gone for each in self._occupied.values())
                if is_busy or has_board:
                    quiet_since = time.monotonic()
                is_enough = units is not None and self.tally.passed >= units
                is_idle = idle_s and time.monotonic() - quiet_since > idle_s
                if is_enough or is_idle:
                    self._stop.set()
                if self._stop.is_set() and not is_busy:
                    return
                time.sleep(_POLL_S)

    def _watch_ports(self, pool: ThreadPoolExecutor) -> None:
        """Notice boards that were taken out, and start the turns of new ones."""
        ports = self._find_ports()
        for port, board in list(self._occupied.items()):
            if (_plugged_id(port) if port in ports else None) != board.plugged_id:
                board.is_gone = True
            if board.is_gone and board.work is None:
                del self._occupied[port]
                self._display.show_status(port, "")
        for port, kind in ports.items():
            known = self._occupied.get(port)
            if known is not None:
                self._retry_if_due(pool, port, known)
            elif len(self._occupied) < MOST_PORTS and not self._stop.is_set():
                plugged_id = _plugged_id(port)
                if plugged_id is not None:
                    self._start_turn(pool, port, _OccupiedPort(kind, plugged_id))

    def _retry_if_due(
        self, pool: ThreadPoolExecutor, port: str, board: _OccupiedPort
    ) -> None:
        is_due = board.retry_at is not None and time.monotonic() > board.retry_at
        is_free = board.work is None and not board.is_gone
        if is_due and is_free and not self._stop.is_set():
            self._start_turn(pool, port, board)

    def _start_turn(
        self, pool: ThreadPoolExecutor, port: str, board: _OccupiedPort
    ) -> None:
        self._occupied[port] = board
        board.retry_at = None
        board.turns += 1
        board.began = time.monotonic()
        self._display.show_status(port, LOOKING)
        board.work = pool.submit(self._line.process, port, board.kind)

    def _collect_results(self) -> None:
        """Count and show the turns that have ended. Raises a turn's JournalError."""
        working = [(p, board) for p, board in self._occupied.items() if board.work]
        ended = [each for each in working if each[1].work and each[1].work.done()]
        # The texts first: after a turn, its result has to stay on the screen.
        for port, text in self._statuses.take().items():
            self._display.show_status(port, text)
        for port, board in ended:
            assert board.work is not None
            try:
                result = board.work.result()
            except BaseException:
                self._stop.set()
                raise
            board.work = None
            is_mute = result.reason is Reason.NO_ANSWER and board.turns < _TRIES
            if is_mute or result.reason is Reason.SOURCE_DOWN:
                board.retry_at = time.monotonic() + _RETRY_S
            self.tally.add(result)
            self._display.show_result(port, result, time.monotonic() - board.began)
            if board.retry_at is not None:
                self._display.show_status(port, "waiting, tries again")


class Statuses:
    """What the ports' threads report, until the station's own thread shows it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}

    def report(self, port: str, text: str) -> None:
        """Keep the text; the last one of a port counts."""
        with self._lock:
            self._texts[port] = text

    def take(self) -> dict[str, str]:
        """Return the texts since the last call."""
        with self._lock:
            texts, self._texts = self._texts, {}
        return texts


def _plugged_id(port: str) -> tuple[int, ...] | None:
    """Return an id that changes when a board is plugged in; None without a board."""
    try:
        found, name = os.stat(port), os.lstat(port)
    except OSError:
        return None
    # udev changes the times of a device after it was plugged in, but makes new links.
    made = name.st_ctime_ns if stat.S_ISLNK(name.st_mode) else 0
    return found.st_dev, found.st_ino, found.st_rdev, name.st_ino, made
