"""Fetching the keys of a list into the journal, before the boards are there."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from pointctl.factory.job import Plan
from pointctl.factory.journal import Journal
from pointctl.factory.sources import Denied, Source
from pointctl.factory.units import Reason, Step
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
    """The keys of all units that have none yet, one by one.

    Raises SourceDown: what was fetched until then is in the journal.
    """
    done = Batched()
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
