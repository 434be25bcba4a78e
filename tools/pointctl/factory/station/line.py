"""One board through all steps: what a station does at a port, and writes down first.

The order is what makes a power cut harmless. That the source is asked is in the journal
before it is asked; its answer is, before anything is burned; what was read back is,
before the label is made. Whatever was interrupted is taken up where the journal ends.
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
from pointctl.factory.domain.units import Found, Reason, Step, Todo, UnitProgress
from pointctl.factory.sources.source import Denied, Source, SourceDown, Unsure
from pointctl.factory.station.bench import OnTheBench, Opener, StepFailed


class Outcome(StrEnum):
    """What a board's turn came to."""

    PASSED = "passed"
    ALREADY = "already"  # it had passed before, and is as it should be
    FAILED = "failed"  # again, once what is wrong is mended
    REFUSED = "refused"  # by a rule


@dataclass(frozen=True)
class Result:
    """The end of a board's turn, for people and programs."""

    outcome: Outcome
    unit: str | None
    reason: Reason | None = None
    text: str = ""


class Labels(Protocol):
    """Makes and prints a unit's label."""

    def make(self, unit: str) -> dict[str, str]:
        """Facts of it for the journal. Raises PointctlError."""
        ...


Teller = Callable[[str, str | None, Step, str], None]  # port, unit, step, words

_RULES = {Reason.WRONG_BOARD, Reason.WRONG_PRODUCT, Reason.DUPLICATE, Reason.OTHER_KEY}
_RULES |= {Reason.ENROLLED, Reason.SOURCE_REFUSED, Reason.COMPLETE}


class Line:
    """What all ports of a station share. Threads may carry boards at the same time."""

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        source: Source,
        opener: Opener,
        labels: Labels | None,
        tell: Teller,
        repair: Collection[str] = (),
        ask_again: Collection[str] = (),
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._source = source
        self._opener = opener
        self._labels = labels
        self._tell = tell
        self._repair = frozenset(repair)
        self._ask_again = frozenset(ask_again)
        self._lock = Lock()
        self._busy: dict[str, str] = {}  # units in work, and at which port
        found = journal.standings().values()
        self._answered = {each.unit for each in found if each.answered}

    def carry(self, port: str, kind: BoardKind | None) -> Result:
        """Take the board at a port as far as it goes.

        Raises JournalError alone: then nothing more may be done to any board.
        """
        unit: str | None = None
        try:
            with self._opener(port, kind) as board:
                found = board.look()
                unit = found.unit
                with self._alone(unit, port):
                    return self._through(board, found, port)
        except JournalError:
            raise
        except LinkError as error:
            known = Reason.UNPLUGGED if unit else Reason.NO_ANSWER
            return self._ended(port, unit, known, error)
        except StepFailed as error:
            return self._ended(port, unit, error.reason, error)
        except SourceDown as error:
            return self._ended(port, unit, Reason.SOURCE_DOWN, error)
        except Unsure as error:
            return self._ended(port, unit, Reason.UNSURE, error)
        except Denied as error:
            return self._ended(port, unit, Reason.SOURCE_REFUSED, error)
        except PointctlError as error:
            known = Reason.STATION if unit else Reason.NO_ANSWER
            return self._ended(port, unit, known, error)

    def _through(self, board: OnTheBench, found: Found, port: str) -> Result:
        unit, plan = found.unit, self._plan
        standing = self._journal.standing(unit)
        self._note(Step.SEEN, port, unit, kind=found.kind, chip=found.chip)
        verdict = units.decide(
            standing,
            found,
            product=plan.product,
            kind=plan.board,
            replace_keys=plan.replace_keys,
            repair=unit in self._repair,
        )
        if verdict.todo is Todo.REFUSE:
            assert verdict.reason is not None
            raise StepFailed(verdict.reason, verdict.text)
        if verdict.todo is Todo.NOTHING:
            self._note(Step.ALREADY, port, unit)
            return Result(Outcome.ALREADY, unit)
        if verdict.todo is Todo.ASK:
            self._ask(port, standing)
        if verdict.todo is not Todo.TEST:
            self._burn(board, port, found)
        elif not standing.burned:  # the power went before it could be written down
            self._note(Step.BURNED, port, unit, chip=found.chip)
        self._finish(board, port, standing)
        return Result(Outcome.PASSED, unit)

    def _ask(self, port: str, standing: UnitProgress) -> None:
        unit = standing.unit
        free = self._source.repeats_are_free or unit in self._ask_again
        if standing.unsure and not free:
            raise StepFailed(Reason.UNSURE, "it may have been given a key already")
        with self._lock:
            count = self._plan.count
            if count is not None and len(self._answered - {unit}) >= count:
                text = f"all {count} units of the plan have their keys"
                raise StepFailed(Reason.COMPLETE, text)
            self._answered.add(unit)
        try:
            self._note(Step.ASKING, port, unit)
            key = self._source.key(unit)
            self._note(Step.ANSWERED, port, unit, key=key.text)
        except BaseException:
            self._answered.discard(unit)
            raise

    def _burn(self, board: OnTheBench, port: str, found: Found) -> None:
        self._note(Step.BURNING, port, found.unit)
        board.burn(self._journal.key(found.unit))
        self._note(Step.BURNED, port, found.unit, chip=found.chip)

    def _finish(self, board: OnTheBench, port: str, standing: UnitProgress) -> None:
        plan, unit = self._plan, standing.unit
        if plan.self_test is not SelfTest.NONE and not standing.tested:
            self._tell(port, unit, Step.TESTED, "trying itself")
            said = board.try_itself(plan.self_test, plan.self_test_s)
            self._note(Step.TESTED, port, unit, note=said)
        if self._labels is not None and not standing.labelled:
            try:
                made = self._labels.make(unit)
            except (PointctlError, OSError) as error:
                raise StepFailed(Reason.LABEL, str(error)) from error
            self._note(Step.LABELLED, port, unit, **made)
        self._note(Step.DONE, port, unit)

    def _ended(
        self, port: str, unit: str | None, reason: Reason, error: Exception
    ) -> Result:
        """The end of a turn that did not succeed, in the journal too."""
        by_rule = reason in _RULES
        step = Step.REFUSED if by_rule else Step.FAILED
        text = str(error)
        self._note(step, port, unit, reason=reason.value, note=text)
        outcome = Outcome.REFUSED if by_rule else Outcome.FAILED
        return Result(outcome, unit, reason, text)

    def _note(
        self, step: Step, port: str, unit: str | None, **more: str | None
    ) -> None:
        self._journal.append(step, unit, port=port, **more)
        self._tell(port, unit, step, more.get("note") or "")

    @contextmanager
    def _alone(self, unit: str, port: str) -> Iterator[None]:
        """Have a unit to this port. Raises StepFailed where another port has it."""
        with self._lock:
            other = self._busy.setdefault(unit, port)
        if other != port:
            raise StepFailed(
                Reason.DUPLICATE, f"a board with this number is at {other}"
            )
        try:
            yield
        finally:
            with self._lock:
                del self._busy[unit]
