"""The station: it sees boards come and go at its ports, and carries each one through.

A board is recognised when it is plugged in, worked on once, and then left alone until
it is taken out; what failed for want of the source is tried again where it is.
"""

import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from pointctl.boards.kinds import BoardKind
from pointctl.factory.domain.units import Reason, UnitProgress
from pointctl.factory.station.line import Line, Outcome, Result

MOST_PORTS = 8
_LOOK_S = 0.2
_AGAIN_S = 5.0  # after a failure that mends itself
_TRIES = 3  # a board that has just been plugged in may not listen yet
_HOUR_S = 3600.0

# Returns the ports that exist now, and the kinds of their boards.
Ports = Callable[[], Mapping[str, BoardKind | None]]


class Show(Protocol):
    """Tells people what happens; called by the station's own thread only."""

    def begun(self, tally: "Tally") -> None:
        """The station takes boards from now on."""
        ...

    def at(self, port: str, words: str) -> None:
        """What a port is doing, in a word or two; nothing where no board is."""
        ...

    def ended(self, port: str, result: Result, seconds: float) -> None:
        """A board's turn has ended."""
        ...

    def tick(self, tally: "Tally") -> None:
        """Some time has gone by."""
        ...


@dataclass
class Tally:
    """How a shift goes. Units are counted by where they stand, not by how often."""

    started: float = field(default_factory=time.monotonic)
    units: dict[str, Outcome] = field(default_factory=dict)
    before: int = 0  # done before this shift
    reasons: Counter[Reason] = field(default_factory=Counter)
    first_time: int = 0  # passed at their first turn
    nameless: int = 0  # turns of boards that did not say who they are
    _passed_at: list[float] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a turn."""
        if result.reason is not None:
            self.reasons[result.reason] += 1
        if result.unit is None:
            self.nameless += 1
            return
        known = self.units.get(result.unit)
        if result.outcome is Outcome.PASSED:
            self.first_time += known is None
            self._passed_at.append(time.monotonic())
        is_done = known in (Outcome.PASSED, Outcome.ALREADY)
        if not (is_done and result.outcome not in (Outcome.PASSED, Outcome.ALREADY)):
            self.units[result.unit] = known if is_done and known else result.outcome

    @property
    def passed(self) -> int:
        """Units that this shift has finished."""
        return sum(each is Outcome.PASSED for each in self.units.values())

    @property
    def not_done(self) -> int:
        """Units whose last turn did not succeed."""
        bad = (Outcome.FAILED, Outcome.REFUSED)
        return sum(each in bad for each in self.units.values())

    @property
    def per_hour(self) -> float:
        """Units finished in an hour, by the last hour or what there is of it."""
        now = time.monotonic()
        recent = sum(at > now - _HOUR_S for at in self._passed_at)
        return recent * _HOUR_S / max(1.0, min(_HOUR_S, now - self.started))

    @property
    def first_yield(self) -> float | None:
        """Which part of the units passed at their first turn; None without any."""
        tried = self.passed + self.not_done
        return self.first_time / tried if tried else None

    def worst(self) -> tuple[Reason, int] | None:
        """What failed most, and how often."""
        return self.reasons.most_common(1)[0] if self.reasons else None


def tally_of(standings: Mapping[str, UnitProgress]) -> Tally:
    """A new shift's, knowing what is done already."""
    return Tally(before=sum(each.done for each in standings.values()))


@dataclass
class _Slot:
    kind: BoardKind | None
    plugged: tuple[int, ...]  # which board it is, as far as the port tells
    began: float = 0.0
    work: Future[Result] | None = None
    turns: int = 0
    again_at: float | None = None  # when to try it once more
    gone: bool = False


class Station:
    """Carries boards at up to eight ports. run() is to be called once."""

    def __init__(
        self,
        line: Line,
        ports: Ports,
        show: Show,
        tally: Tally,
        words: "Words",
    ) -> None:
        self._line = line
        self._ports = ports
        self._show = show
        self.tally = tally
        self._words = words
        self._slots: dict[str, _Slot] = {}
        self._stop = threading.Event()

    def stop(self) -> None:
        """Take no more boards; those in work are finished. Also from a signal."""
        self._stop.set()

    def run(self, *, units: int | None = None, idle_s: float | None = None) -> None:
        """Until stop(), so many units are done, or nothing was plugged in so long.

        Raises JournalError: no board is touched any more then.
        """
        quiet_since = time.monotonic()
        self._show.begun(self.tally)
        with ThreadPoolExecutor(MOST_PORTS, "port") as pool:
            while True:
                self._look(pool)
                self._collect()
                self._show.tick(self.tally)
                busy = any(slot.work for slot in self._slots.values())
                if busy or any(not slot.gone for slot in self._slots.values()):
                    quiet_since = time.monotonic()
                enough = units is not None and self.tally.passed >= units
                quiet = idle_s and time.monotonic() - quiet_since > idle_s
                if enough or quiet:
                    self._stop.set()
                if self._stop.is_set() and not busy:
                    return
                time.sleep(_LOOK_S)

    def _look(self, pool: ThreadPoolExecutor) -> None:
        """See which boards are there, and begin with those that are new."""
        there = self._ports()
        for port, slot in list(self._slots.items()):
            plugged = _plugged(port) if port in there else None
            if plugged != slot.plugged:
                slot.gone = True
            if slot.gone and slot.work is None:
                del self._slots[port]
                self._show.at(port, "")
        for port, kind in there.items():
            slot_or_none = self._slots.get(port)
            if slot_or_none is None and len(self._slots) < MOST_PORTS:
                plugged = _plugged(port)
                if plugged is not None and not self._stop.is_set():
                    self._begin(pool, port, _Slot(kind, plugged))
            elif slot_or_none is not None:
                self._try_again(pool, port, slot_or_none)

    def _try_again(self, pool: ThreadPoolExecutor, port: str, slot: _Slot) -> None:
        due = slot.again_at is not None and time.monotonic() > slot.again_at
        if due and slot.work is None and not slot.gone and not self._stop.is_set():
            self._begin(pool, port, slot)

    def _begin(self, pool: ThreadPoolExecutor, port: str, slot: _Slot) -> None:
        self._slots[port] = slot
        slot.again_at = None
        slot.turns += 1
        slot.began = time.monotonic()
        self._show.at(port, "looking")
        slot.work = pool.submit(self._line.carry, port, slot.kind)

    def _collect(self) -> None:
        """Take in the turns that have ended. Raises what a turn must not raise."""
        working = [(port, slot) for port, slot in self._slots.items() if slot.work]
        over = [each for each in working if each[1].work and each[1].work.done()]
        # Once a turn is over it says no more: its end is what stays on the screen.
        for port, words in self._words.take().items():
            self._show.at(port, words)
        for port, slot in over:
            assert slot.work is not None
            try:
                result = slot.work.result()
            except BaseException:
                self._stop.set()
                raise
            slot.work = None
            deaf = result.reason is Reason.NO_ANSWER and slot.turns < _TRIES
            if deaf or result.reason is Reason.SOURCE_DOWN:
                slot.again_at = time.monotonic() + _AGAIN_S
            self.tally.add(result)
            self._show.ended(port, result, time.monotonic() - slot.began)
            if slot.again_at is not None:
                self._show.at(port, "waiting, tries again")


class Words:
    """What the ports' threads say, until the station's own thread shows it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, str] = {}

    def say(self, port: str, words: str) -> None:
        """The last words of a port count."""
        with self._lock:
            self._said[port] = words

    def take(self) -> dict[str, str]:
        """What was said since the last time."""
        with self._lock:
            said, self._said = self._said, {}
        return said


def _plugged(port: str) -> tuple[int, ...] | None:
    """What is another when a board was taken out and put in; None where none is."""
    try:
        found, name = os.stat(port), os.lstat(port)
    except OSError:
        return None
    # udev changes a device's own times after it has come, but makes links anew.
    made = name.st_ctime_ns if stat.S_ISLNK(name.st_mode) else 0
    return found.st_dev, found.st_ino, found.st_rdev, name.st_ino, made
