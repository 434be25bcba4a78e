"""What a job has come to: figures, tables for a file, a certificate for each unit."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from point import __version__
from pointctl.errors import PointctlError
from pointctl.factory.domain.job import Plan
from pointctl.factory.domain.journal import Event, Journal
from pointctl.factory.domain.units import Step, UnitProgress, named
from pointctl.folder import private_file, private_path
from pointctl.lists import workbook

COLUMNS = (
    "unit",
    "state",
    "reason",
    "note",
    "turns",
    "failures",
    "key_sha256",
    "chip",
    "done_at",
    "last_at",
)


@dataclass(frozen=True)
class Figures:
    """A job in numbers."""

    units: int  # that ever came or were asked for
    done: int
    spent: int  # keys that the source gave: one a unit
    not_done: dict[str, int]  # units that are not done, by the reason
    first_yield: float | None  # of the done units, how many never failed
    turns: int
    nameless: int  # turns of boards that did not say who they are
    per_hour: float | None
    failures: dict[str, int]  # turns that did not succeed, by the reason

    @property
    def complete(self) -> bool:
        """Whether every unit that was seen is done."""
        return self.units == self.done


def figures(journal: Journal) -> Figures:
    """All of it, by the journal alone."""
    standings = journal.standings()
    done = [each for each in standings.values() if each.done]
    reasons: Counter[str] = Counter()
    nameless = turns = 0
    at: list[str] = []
    for event in journal.events():
        if event.step in (Step.FAILED, Step.REFUSED):
            reasons[event.reason or "?"] += 1
            nameless += event.unit is None
        turns += event.step is Step.SEEN
        if event.step is Step.DONE:
            at.append(event.at)
    return Figures(
        units=len(standings),
        done=len(done),
        spent=sum(each.answered for each in standings.values()),
        not_done=dict(
            Counter(state(x) for x in standings.values() if not x.done).most_common()
        ),
        first_yield=sum(not x.failures for x in done) / len(done) if done else None,
        turns=turns,
        nameless=nameless,
        per_hour=_per_hour(at),
        failures=dict(reasons.most_common()),
    )


def state(standing: UnitProgress) -> str:
    """Where a unit stands, in a word or two."""
    if standing.done:
        return "done"
    if standing.reason:
        return standing.reason
    for reached in ("labelled", "tested", "burned", "answered"):
        if getattr(standing, reached):
            return f"interrupted, {reached}"
    return "interrupted"


def rows(journal: Journal) -> Iterator[dict[str, str]]:
    """A row for each unit, in the order in which they first came."""
    for each in journal.standings().values():
        values: list[str | int | None] = [each.unit, state(each), each.reason]
        values += [each.note, each.attempts, each.failures, each.key_hash]
        values += [each.chip, each.done_at, each.at]
        yield {
            name: "" if value is None else str(value)
            for name, value in zip(COLUMNS, values, strict=True)
        }


def write(journal: Journal, path: Path) -> int:
    """Write the rows as .csv or .xlsx, by the name; how many. Raises PointctlError."""
    found = list(rows(journal))
    if path.suffix == ".xlsx":
        with private_path(path) as made:
            body = (list(map(_harmless, row.values())) for row in found)
            workbook.write(made, COLUMNS, body)
    elif path.suffix == ".csv":
        with private_file(path) as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(map(_harmless, row.values()) for row in found)
    else:
        raise PointctlError(f"{path}: name it .csv or .xlsx")
    return len(found)


def _harmless(cell: str) -> str:
    """A text that a spreadsheet does not take for a formula: notes come from boards."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def certificate(journal: Journal, plan: Plan, unit: str) -> dict[str, Any]:
    """What was done to one unit, with hashes, without secrets.

    `sha256` is over all the rest as JSON with sorted keys and no spaces. Raises
    PointctlError for a unit that the journal does not know.
    """
    events = list(journal.events(unit))
    if not events:
        raise PointctlError(f"the journal has nothing of {unit}")
    standing = journal.standing(unit)
    told: dict[str, Any] = {
        "certificate": "pointaccess-factory-1",
        "product": plan.product,
        named(unit): unit,
        "state": state(standing),
        "source": plan.source.value,
        "batch": plan.batch,
        "key_sha256": standing.key_hash,
        "chip": standing.chip,
        "done_at": standing.done_at,
        "software": f"pointctl {__version__}",
        "steps": [_step(event) for event in events],
    }
    return told | {"sha256": digest(told)}


def digest(told: dict[str, Any]) -> str:
    """The hash of a certificate, without its own member `sha256`."""
    rest = {name: value for name, value in told.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def as_text(told: dict[str, Any]) -> str:
    """A certificate to be printed."""
    head = [
        f"{name:12}{value}"
        for name, value in told.items()
        if name != "steps" and value is not None
    ]
    steps = [
        "  ".join(str(step[name]) for name in ("at", "station", "step"))
        + "".join(f"  {step[name]}" for name in ("reason", "note") if step.get(name))
        for step in told["steps"]
    ]
    return "\n".join([*head, "", *steps]) + "\n"


def write_certificates(
    journal: Journal, plan: Plan, folder: Path, wanted: Sequence[str] = ()
) -> int:
    """Write {unit}.json and {unit}.txt of units, or of all that are done; how many."""
    standings = journal.standings()
    chosen = wanted or [unit for unit, each in standings.items() if each.done]
    folder.mkdir(parents=True, exist_ok=True)
    for unit in chosen:
        told = certificate(journal, plan, unit)
        with private_file(folder / f"{unit}.json") as file:
            json.dump(told, file, indent=2, ensure_ascii=False)
        with private_file(folder / f"{unit}.txt") as file:
            file.write(as_text(told))
    return len(chosen)


def _step(event: Event) -> dict[str, Any]:
    told: dict[str, Any] = {
        "number": event.id,
        "at": event.at,
        "station": event.station,
        "port": event.port,
        "step": event.step.value,
        "reason": event.reason,
        "note": event.note,
        **event.facts,
    }
    return {name: value for name, value in told.items() if value is not None}


def _per_hour(at: list[str]) -> float | None:
    """Of all shifts together, by the first and the last unit."""
    if len(at) < 2:
        return None
    first, last = (datetime.fromisoformat(each) for each in (at[0], at[-1]))
    seconds = (last - first).total_seconds()
    return (len(at) - 1) * 3600 / seconds if seconds else None
