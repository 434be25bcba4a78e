"""Fetch the keys of a list into the journal, before there are boards."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from pointctl.factory.domain.job import Plan
from pointctl.factory.domain.journal import Journal
from pointctl.factory.domain.units import WHAT_TO_DO, Reason, Step, UnitProgress
from pointctl.factory.sources.source import (
    KeyDenied,
    KeySource,
    ListKeySource,
    SourceDown,
)
from pointctl.folder import private_file

Advance = Callable[[int], None]


@dataclass
class ListResult:
    """The result for a list of units."""

    fetched: int = 0
    had: int = 0  # units whose keys were in the journal before
    bad: dict[str, str] = field(default_factory=dict)  # units without a key, and why


def fetch(
    plan: Plan, journal: Journal, source: KeySource, wanted: Sequence[str], on: Advance
) -> ListResult:
    """Fetch the keys of all units that have none yet.

    Sends a list if the source accepts lists, else asks for one unit after the other.
    Raises SourceDown, AnswerLost: what was fetched until then is in the journal.
    """
    done = ListResult()
    if isinstance(source, ListKeySource):
        _fetch_list(plan, journal, source, wanted, on, done)
    else:
        _fetch_one_by_one(plan, journal, source, wanted, on, done)
    return done


def _fetch_one_by_one(
    plan: Plan,
    journal: Journal,
    source: KeySource,
    wanted: Sequence[str],
    on: Advance,
    done: ListResult,
) -> None:
    progress = journal.all_progress()
    answered = sum(each.answered for each in progress.values())
    for number, unit in enumerate(wanted, 1):
        known = progress.get(unit)
        if known is not None and known.answered:
            done.had += 1
        elif plan.count is not None and answered + done.fetched >= plan.count:
            done.bad[unit] = f"the plan is for {plan.count} units"
        else:
            _fetch_one(journal, source, unit, done)
        on(number)


def _fetch_one(
    journal: Journal, source: KeySource, unit: str, done: ListResult
) -> None:
    journal.append(Step.ASKING, unit)
    try:
        key = source.request_key(unit)
    except KeyDenied as error:
        done.bad[unit] = str(error)
        reason = Reason.SOURCE_REFUSED.value
        journal.append(Step.REFUSED, unit, reason=reason, note=str(error))
        return
    journal.append(Step.ANSWERED, unit, key=key.text)
    done.fetched += 1


def _fetch_list(
    plan: Plan,
    journal: Journal,
    source: ListKeySource,
    wanted: Sequence[str],
    on: Advance,
    done: ListResult,
) -> None:
    """Finish the list that was sent last, then send the units that are left."""
    if (batch := _open_batch(journal)) is not None:
        _store_list(journal, source, batch, on, done)
    units = _units_to_send(plan, journal, source, wanted, done)
    if units:
        batch = _send(journal, source, units)
        _store_list(journal, source, batch, on, done)


def _units_to_send(
    plan: Plan,
    journal: Journal,
    source: ListKeySource,
    wanted: Sequence[str],
    done: ListResult,
) -> list[str]:
    """Return the units to ask for; why another one is left out goes to `done`."""
    progress = journal.all_progress()
    left = []
    for unit in wanted:
        known = progress.get(unit, UnitProgress(unit))
        if known.answered:
            done.had += 1
        elif unit in done.bad:
            continue
        elif known.unsure and not source.repeats_are_free:
            done.bad[unit] = WHAT_TO_DO[Reason.UNSURE]
        else:
            left.append(unit)
    done.had -= done.fetched
    answered = sum(each.answered for each in progress.values())
    room = len(left) if plan.count is None else max(0, plan.count - answered)
    done.bad |= dict.fromkeys(left[room:], f"the plan is for {plan.count} units")
    return left[:room]


def _send(journal: Journal, source: ListKeySource, units: Sequence[str]) -> str:
    """Send a list, and return its id; both are recorded in the journal."""
    journal.append_all(Step.ASKING, units)
    try:
        batch = source.send_list(units)
    except (SourceDown, KeyDenied) as error:
        is_down = isinstance(error, SourceDown)
        reason = Reason.SOURCE_DOWN if is_down else Reason.SOURCE_REFUSED
        journal.append_all(Step.FAILED, units, reason=reason.value, note=str(error))
        raise
    journal.append(Step.SENT, note=batch)
    return batch


def _store_list(
    journal: Journal, source: ListKeySource, batch: str, on: Advance, done: ListResult
) -> None:
    """Wait for a list, and write its keys to the journal."""
    answer = source.fetch_list(batch, on)
    progress = journal.all_progress()
    fresh = {
        unit: key.text
        for unit, key in answer.keys.items()
        if not progress.get(unit, UnitProgress(unit)).answered
    }
    journal.append_keys(fresh)
    reason = Reason.SOURCE_REFUSED.value
    for unit, why in answer.errors.items():
        journal.append(Step.REFUSED, unit, reason=reason, note=why)
    journal.append(Step.FETCHED, note=batch)
    done.fetched += len(fresh)
    done.bad |= answer.errors


def _open_batch(journal: Journal) -> str | None:
    """Return the id of a list that was sent, and whose keys were not stored yet."""
    steps = (Step.SENT, Step.FETCHED)
    found = [event for event in journal.events() if event.step in steps]
    is_open = bool(found) and found[-1].step is Step.SENT
    return found[-1].note if is_open else None


def write_keys(journal: Journal, wanted: Sequence[str], path: Path) -> None:
    """Write units and their keys as CSV that only its owner may read."""
    progress = journal.all_progress()
    with private_file(path) as file:
        file.write("unit,key\n")
        for unit in wanted:
            known = progress.get(unit)
            if known is not None and known.answered:
                file.write(f"{unit},{journal.key(unit)}\n")


@contextmanager
def progress_bar(total: int) -> Iterator[Advance]:
    """Show a progress bar on stderr."""
    with Progress(console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("keys", total=total)
        yield lambda number: bar.update(task, completed=number)
