"""Fetching the keys of a list into the journal, before the boards are there."""

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
from pointctl.factory.sources.source import Denied, ListSource, Source, SourceDown
from pointctl.folder import private_file

Advance = Callable[[int], None]


@dataclass
class Batched:
    """What became of a list."""

    fetched: int = 0
    had: int = 0  # were in the journal before
    bad: dict[str, str] = field(default_factory=dict)  # units, and why not


def fetch(
    plan: Plan, journal: Journal, source: Source, wanted: Sequence[str], on: Advance
) -> Batched:
    """The keys of all units that have none yet.

    As a list where the source takes lists, else one by one. Raises SourceDown, Unsure:
    what was fetched until then is in the journal.
    """
    done = Batched()
    if isinstance(source, ListSource):
        _fetch_list(plan, journal, source, wanted, on, done)
        return done
    standings = journal.standings()
    answered = sum(each.answered for each in standings.values())
    for number, unit in enumerate(wanted, 1):
        known = standings.get(unit)
        if known is not None and known.answered:
            done.had += 1
        elif plan.count is not None and answered + done.fetched >= plan.count:
            done.bad[unit] = f"the plan is for {plan.count} units"
        else:
            _fetch_one(journal, source, unit, done)
        on(number)
    return done


def _fetch_one(journal: Journal, source: Source, unit: str, done: Batched) -> None:
    journal.append(Step.ASKING, unit)
    try:
        key = source.key(unit)
    except Denied as error:
        done.bad[unit] = str(error)
        reason = Reason.SOURCE_REFUSED.value
        journal.append(Step.REFUSED, unit, reason=reason, note=str(error))
        return
    journal.append(Step.ANSWERED, unit, key=key.text)
    done.fetched += 1


def _fetch_list(
    plan: Plan,
    journal: Journal,
    source: ListSource,
    wanted: Sequence[str],
    on: Advance,
    done: Batched,
) -> None:
    """Finish the list that was sent last, then send what is still wanted."""
    if (batch := _open_batch(journal)) is not None:
        _take_in(journal, source, batch, on, done)
    standings = journal.standings()
    left = []
    for unit in wanted:
        known = standings.get(unit, UnitProgress(unit))
        if known.answered:
            done.had += 1
        elif unit in done.bad:
            continue
        elif known.unsure and not source.repeats_are_free:
            done.bad[unit] = WHAT_TO_DO[Reason.UNSURE]
        else:
            left.append(unit)
    done.had -= done.fetched
    answered = sum(each.answered for each in standings.values())
    room = len(left) if plan.count is None else max(0, plan.count - answered)
    done.bad |= dict.fromkeys(left[room:], f"the plan is for {plan.count} units")
    if not left[:room]:
        return
    journal.append_all(Step.ASKING, left[:room])
    try:
        batch = source.send(left[:room])
    except (SourceDown, Denied) as error:
        down = isinstance(error, SourceDown)
        reason = Reason.SOURCE_DOWN if down else Reason.SOURCE_REFUSED
        told = {"reason": reason.value, "note": str(error)}
        journal.append_all(Step.FAILED, left[:room], **told)
        raise
    journal.append(Step.SENT, note=batch)
    _take_in(journal, source, batch, on, done)


def _take_in(
    journal: Journal, source: ListSource, batch: str, on: Advance, done: Batched
) -> None:
    """Wait for a list, and have its keys in the journal."""
    keys, bad = source.fetch(batch, on)
    standings = journal.standings()
    fresh = {
        unit: key.text
        for unit, key in keys.items()
        if not standings.get(unit, UnitProgress(unit)).answered
    }
    journal.append_keys(fresh)
    reason = Reason.SOURCE_REFUSED.value
    for unit, why in bad.items():
        journal.append(Step.REFUSED, unit, reason=reason, note=why)
    journal.append(Step.FETCHED, note=batch)
    done.fetched += len(fresh)
    done.bad |= bad


def _open_batch(journal: Journal) -> str | None:
    """The list that was sent and whose keys are not all in the journal."""
    steps = (Step.SENT, Step.FETCHED)
    found = [event for event in journal.events() if event.step in steps]
    is_open = bool(found) and found[-1].step is Step.SENT
    return found[-1].note if is_open else None


def write_keys(journal: Journal, wanted: Sequence[str], path: Path) -> None:
    """Write units and their keys as CSV, readable by its owner only."""
    standings = journal.standings()
    with private_file(path) as file:
        file.write("unit,key\n")
        for unit in wanted:
            known = standings.get(unit)
            if known is not None and known.answered:
                file.write(f"{unit},{journal.key(unit)}\n")


@contextmanager
def bar(total: int) -> Iterator[Advance]:
    """A progress bar on stderr."""
    with Progress(console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("keys", total=total)
        yield lambda number: progress.update(task, completed=number)
