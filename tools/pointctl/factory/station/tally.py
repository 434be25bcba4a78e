"""The figures of a shift: units passed and not done, rate, yield, reasons."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pointctl.factory.domain.units import Reason, UnitProgress
from pointctl.factory.station.line import TurnOutcome, TurnResult

_HOUR_S = 3600.0


@dataclass
class Tally:
    """The figures of a shift. A unit counts once, however many turns it has."""

    started: float = field(default_factory=time.monotonic)
    units: dict[str, TurnOutcome] = field(default_factory=dict)
    before: int = 0  # done before this shift
    reasons: Counter[Reason] = field(default_factory=Counter)
    first_time: int = 0  # units that passed at their first turn
    nameless: int = 0  # turns of boards that were not identified
    _passed_at: list[float] = field(default_factory=list)

    def add(self, result: TurnResult) -> None:
        """Count a turn."""
        if result.reason is not None:
            self.reasons[result.reason] += 1
        if result.unit is None:
            self.nameless += 1
            return
        known = self.units.get(result.unit)
        if result.outcome is TurnOutcome.PASSED:
            self.first_time += known is None
            self._passed_at.append(time.monotonic())
        is_done = known in (TurnOutcome.PASSED, TurnOutcome.ALREADY)
        if not (
            is_done and result.outcome not in (TurnOutcome.PASSED, TurnOutcome.ALREADY)
        ):
            self.units[result.unit] = known if is_done and known else result.outcome

    @property
    def passed(self) -> int:
        """How many units this shift has finished."""
        return sum(each is TurnOutcome.PASSED for each in self.units.values())

    @property
    def not_done(self) -> int:
        """How many units are not done after their last turn."""
        bad = (TurnOutcome.FAILED, TurnOutcome.REFUSED)
        return sum(each in bad for each in self.units.values())

    @property
    def per_hour(self) -> float:
        """The rate over the last hour, or over the shift if that is shorter."""
        now = time.monotonic()
        recent = sum(at > now - _HOUR_S for at in self._passed_at)
        return recent * _HOUR_S / max(1.0, min(_HOUR_S, now - self.started))

    @property
    def first_yield(self) -> float | None:
        """The part of the units that passed at their first turn; None without units."""
        tried = self.passed + self.not_done
        return self.first_time / tried if tried else None

    def worst(self) -> tuple[Reason, int] | None:
        """Return the most frequent reason, and how often it occurred."""
        return self.reasons.most_common(1)[0] if self.reasons else None


def start_tally(progress: Mapping[str, UnitProgress]) -> Tally:
    """Return the tally of a new shift, with the units that were done before."""
    return Tally(before=sum(each.done for each in progress.values()))
