"""Take one board through all steps, and record each step before the next one.

This order makes a power cut harmless: the journal says that the source is asked before
it is asked, it has the answer before the key is burned, and it has the hash that was
read back before the label is made. After an interruption, work goes on where the
journal ends.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Protocol

from pointctl.boards.kinds import BoardKind
from pointctl.boards.link import LinkError
from pointctl.errors import PointctlError
from pointctl.factory.domain import units
from pointctl.factory.domain.job import Plan, SelfTest
from pointctl.factory.domain.journal import Journal, JournalError
from pointctl.factory.domain.units import BoardFacts, Reason, Step, Todo, UnitProgress
from pointctl.factory.sources.source import (
    AnswerLost,
    KeyDenied,
    KeySource,
    SourceDown,
)
from pointctl.factory.station.board import OpenBoard, StationBoard, StepFailed


class TurnOutcome(StrEnum):
    """The outcome of a board's turn at a port."""

    PASSED = "passed"
    ALREADY = "already"  # it had passed before, and is in order
    FAILED = "failed"  # another try may succeed
    REFUSED = "refused"  # by a rule


@dataclass(frozen=True)
class TurnResult:
    """The result of a board's turn, for people and programs."""

    outcome: TurnOutcome
    unit: str | None
    reason: Reason | None = None
    text: str = ""


class Labels(Protocol):
    """Makes and prints the label of a unit."""

    def make(self, unit: str) -> dict[str, str]:
        """Make the label, and return facts for the journal. Raises PointctlError."""
        ...


ReportStep = Callable[[str, str | None, Step, str], None]  # port, unit, step, note

_RULES = {Reason.WRONG_BOARD, Reason.WRONG_PRODUCT, Reason.DUPLICATE, Reason.OTHER_KEY}
_RULES |= {Reason.ENROLLED, Reason.SOURCE_REFUSED, Reason.COMPLETE}


class Line:
    """What all ports of a station share. Threads may process boards concurrently."""

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        source: KeySource,
        open_board: OpenBoard,
        labels: Labels | None,
        report_step: ReportStep,
        repair: Collection[str] = (),
        ask_again: Collection[str] = (),
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._source = source
        self._open_board = open_board
        self._labels = labels
        self._report_step = report_step
        self._repair = frozenset(repair)
        self._ask_again = frozenset(ask_again)
        self._lock = Lock()
        self._ports: dict[str, str] = {}  # of the units that are being processed
        known = journal.all_progress().values()
        self._answered = {each.unit for each in known if each.answered}

    def process(self, port: str, kind: BoardKind | None) -> TurnResult:
        """Take the board at a port through as many steps as possible.

        Raises only JournalError: then nothing more may be done to any board.
        """
        unit: str | None = None
        try:
            with self._open_board(port, kind) as board:
                found = board.identify()
                unit = found.unit
                with self._reserved(unit, port):
                    return self._take_through(board, found, port)
        except JournalError:
            raise
        except PointctlError as error:
            return self._record_end(port, unit, _reason(error, unit), error)

    def _take_through(
        self, board: StationBoard, found: BoardFacts, port: str
    ) -> TurnResult:
        unit, plan = found.unit, self._plan
        progress = self._journal.progress(unit)
        self._record(Step.SEEN, port, unit, kind=found.kind, chip=found.chip)
        decision = units.decide(
            progress,
            found,
            product=plan.product,
            kind=plan.board,
            replace_keys=plan.replace_keys,
            repair=unit in self._repair,
        )
        if decision.todo is Todo.REFUSE:
            assert decision.reason is not None
            raise StepFailed(decision.reason, decision.text)
        if decision.todo is Todo.NOTHING:
            self._record(Step.ALREADY, port, unit)
            return TurnResult(TurnOutcome.ALREADY, unit)
        if decision.todo is Todo.ASK:
            self._ask(port, progress)
        if decision.todo is not Todo.TEST:
            self._burn(board, port, found)
        elif not progress.burned:  # a power cut came before it was recorded
            self._record(Step.BURNED, port, unit, chip=found.chip)
        self._finish(board, port, progress)
        return TurnResult(TurnOutcome.PASSED, unit)

    def _ask(self, port: str, progress: UnitProgress) -> None:
        """Request the unit's key from the source."""
        unit = progress.unit
        may_repeat = self._source.repeats_are_free or unit in self._ask_again
        if progress.unsure and not may_repeat:
            raise StepFailed(
                Reason.UNSURE, "the source may have given it a key already"
            )
        with self._lock:
            count = self._plan.count
            if count is not None and len(self._answered - {unit}) >= count:
                text = f"all {count} units of the plan have their keys"
                raise StepFailed(Reason.COMPLETE, text)
            self._answered.add(unit)
        try:
            self._record(Step.ASKING, port, unit)
            key = self._source.request_key(unit)
            self._record(Step.ANSWERED, port, unit, key=key.text)
        except BaseException:
            self._answered.discard(unit)
            raise

    def _burn(self, board: StationBoard, port: str, found: BoardFacts) -> None:
        self._record(Step.BURNING, port, found.unit)
        board.burn(self._journal.key(found.unit))
        self._record(Step.BURNED, port, found.unit, chip=found.chip)

    def _finish(self, board: StationBoard, port: str, progress: UnitProgress) -> None:
        """Run the self-test and make the label, unless that was done before."""
        plan, unit = self._plan, progress.unit
        if plan.self_test is not SelfTest.NONE and not progress.tested:
            self._report_step(port, unit, Step.TESTED, "self-test")
            passed = board.run_self_test(plan.self_test, plan.self_test_s)
            self._record(Step.TESTED, port, unit, note=passed)
        if self._labels is not None and not progress.labelled:
            try:
                made = self._labels.make(unit)
            except (PointctlError, OSError) as error:
                raise StepFailed(Reason.LABEL, str(error)) from error
            self._record(Step.LABELLED, port, unit, **made)
        self._record(Step.DONE, port, unit)

    def _record_end(
        self, port: str, unit: str | None, reason: Reason, error: Exception
    ) -> TurnResult:
        """Record and return the end of a turn that did not succeed."""
        is_rule = reason in _RULES
        step = Step.REFUSED if is_rule else Step.FAILED
        text = str(error)
        self._record(step, port, unit, reason=reason.value, note=text)
        outcome = TurnOutcome.REFUSED if is_rule else TurnOutcome.FAILED
        return TurnResult(outcome, unit, reason, text)

    def _record(
        self, step: Step, port: str, unit: str | None, **more: str | None
    ) -> None:
        self._journal.append(step, unit, port=port, **more)
        self._report_step(port, unit, step, more.get("note") or "")

    @contextmanager
    def _reserved(self, unit: str, port: str) -> Iterator[None]:
        """Reserve a unit for this port. Raises StepFailed if another port has it."""
        with self._lock:
            other = self._ports.setdefault(unit, port)
        if other != port:
            raise StepFailed(
                Reason.DUPLICATE, f"a board with this number is at {other}"
            )
        try:
            yield
        finally:
            with self._lock:
                del self._ports[unit]


def _reason(error: PointctlError, unit: str | None) -> Reason:
    """Return the reason for an error; before the board is identified, unit is None."""
    match error:
        case StepFailed():
            return error.reason
        case LinkError():
            return Reason.UNPLUGGED if unit else Reason.NO_ANSWER
        case SourceDown():
            return Reason.SOURCE_DOWN
        case AnswerLost():
            return Reason.UNSURE
        case KeyDenied():
            return Reason.SOURCE_REFUSED
        case _:
            return Reason.STATION if unit else Reason.NO_ANSWER
