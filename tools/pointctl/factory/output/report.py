"""Report on a job: figures, a table of units, and a certificate for each unit."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from point import __version__
from pointctl.errors import PointctlError
from pointctl.factory.domain.job import Plan
from pointctl.factory.domain.journal import Journal, JournalEvent
from pointctl.factory.domain.units import Step, UnitProgress, number_type
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
class JobFigures:
    """A job in numbers."""

    units: int  # that were plugged in or asked for
    done: int
    spent: int  # keys that the source gave, one for each unit
    not_done: dict[str, int]  # units that are not done, by reason
    first_yield: float | None  # the part of the done units that never failed
    turns: int
    nameless: int  # turns of boards that were not identified
    per_hour: float | None
    failures: dict[str, int]  # turns that did not succeed, by reason

    @property
    def is_complete(self) -> bool:
        """Whether every known unit is done."""
        return self.units == self.done


def figures(journal: Journal) -> JobFigures:
    """Compute the figures by the journal alone."""
    units = journal.all_progress().values()
    done = [each for each in units if each.done]
    reasons: Counter[str] = Counter()
    nameless = turns = 0
    done_at: list[str] = []
    for event in journal.events():
        if event.step in (Step.FAILED, Step.REFUSED):
            reasons[event.reason or "?"] += 1
            nameless += event.unit is None
        turns += event.step is Step.SEEN
        if event.step is Step.DONE:
            done_at.append(event.at)
    return JobFigures(
        units=len(units),
        done=len(done),
        spent=sum(each.answered for each in units),
        not_done=dict(Counter(state(x) for x in units if not x.done).most_common()),
        first_yield=sum(not x.failures for x in done) / len(done) if done else None,
        turns=turns,
        nameless=nameless,
        per_hour=_per_hour(done_at),
        failures=dict(reasons.most_common()),
    )


def state(progress: UnitProgress) -> str:
    """Return the state of a unit in a word or two."""
    if progress.done:
        return "done"
    if progress.reason:
        return progress.reason
    for reached in ("labelled", "tested", "burned", "answered"):
        if getattr(progress, reached):
            return f"interrupted, {reached}"
    return "interrupted"


def rows(journal: Journal) -> Iterator[dict[str, str]]:
    """Yield a row for each unit, in the order of their first events."""
    for each in journal.all_progress().values():
        values: list[str | int | None] = [each.unit, state(each), each.reason]
        values += [each.note, each.attempts, each.failures, each.key_hash]
        values += [each.chip, each.done_at, each.at]
        yield {
            name: "" if value is None else str(value)
            for name, value in zip(COLUMNS, values, strict=True)
        }


def write_table(journal: Journal, path: Path) -> int:
    """Write the rows as .csv or .xlsx, by the name, and return their number.

    Raises PointctlError.
    """
    found = list(rows(journal))
    if path.suffix == ".xlsx":
        with private_path(path) as made:
            body = (list(map(_escape_formula, row.values())) for row in found)
            workbook.write_workbook(made, COLUMNS, body)
    elif path.suffix == ".csv":
        with private_file(path) as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(map(_escape_formula, row.values()) for row in found)
    else:
        raise PointctlError(f"{path} is neither .csv nor .xlsx; name it so")
    return len(found)


def _escape_formula(cell: str) -> str:
    """Escape what a spreadsheet would run as a formula: notes come from boards."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


@dataclass(frozen=True)
class Certificate:
    """What was done to one unit, with hashes and without secrets."""

    product: str
    unit: str
    state: str
    source: str
    batch: str | None
    key_sha256: str | None
    chip: str | None
    done_at: str | None
    steps: tuple[JournalEvent, ...]

    def as_json(self) -> dict[str, object]:
        """The members of the JSON file; `sha256` is the digest() of the others."""
        members: dict[str, object] = {
            "certificate": "pointaccess-factory-1",
            "product": self.product,
            number_type(self.unit): self.unit,
            "state": self.state,
            "source": self.source,
            "batch": self.batch,
            "key_sha256": self.key_sha256,
            "chip": self.chip,
            "done_at": self.done_at,
            "software": f"pointctl {__version__}",
            "steps": [_step_json(event) for event in self.steps],
        }
        return members | {"sha256": digest(members)}

    def as_text(self) -> str:
        """The certificate for printing."""
        head = [
            f"{name:12}{value}"
            for name, value in self.as_json().items()
            if name != "steps" and value is not None
        ]
        steps = [
            "  ".join(
                [event.at, event.station, event.step.value]
                + [text for text in (event.reason, event.note) if text]
            )
            for event in self.steps
        ]
        return "\n".join([*head, "", *steps]) + "\n"


def certify(journal: Journal, plan: Plan, unit: str) -> Certificate:
    """Make the certificate of a unit. Raises PointctlError for an unknown unit."""
    events = tuple(journal.events(unit))
    if not events:
        raise PointctlError(
            f"the journal has nothing of {unit}: check the number, or the job's folder"
        )
    progress = journal.progress(unit)
    return Certificate(
        product=plan.product,
        unit=unit,
        state=state(progress),
        source=plan.source.value,
        batch=plan.batch,
        key_sha256=progress.key_hash,
        chip=progress.chip,
        done_at=progress.done_at,
        steps=events,
    )


def digest(members: Mapping[str, object]) -> str:
    """Return the hash of a certificate without its own member `sha256`.

    It is over JSON with sorted keys and without spaces.
    """
    rest = {name: value for name, value in members.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_certificates(
    journal: Journal, plan: Plan, folder: Path, wanted: Sequence[str] = ()
) -> int:
    """Write {unit}.json and {unit}.txt for these units, or for all that are done.

    Returns the number of units.
    """
    progress = journal.all_progress()
    units = wanted or [unit for unit, each in progress.items() if each.done]
    folder.mkdir(parents=True, exist_ok=True)
    for unit in units:
        certificate = certify(journal, plan, unit)
        with private_file(folder / f"{unit}.json") as file:
            json.dump(certificate.as_json(), file, indent=2, ensure_ascii=False)
        with private_file(folder / f"{unit}.txt") as file:
            file.write(certificate.as_text())
    return len(units)


def _step_json(event: JournalEvent) -> dict[str, object]:
    members: dict[str, object] = {
        "number": event.id,
        "at": event.at,
        "station": event.station,
        "port": event.port,
        "step": event.step.value,
        "reason": event.reason,
        "note": event.note,
        **event.facts,
    }
    return {name: value for name, value in members.items() if value is not None}


def _per_hour(done_at: Sequence[str]) -> float | None:
    """Return the units an hour over all shifts, from the first to the last unit."""
    if len(done_at) < 2:
        return None
    first, last = (datetime.fromisoformat(each) for each in (done_at[0], done_at[-1]))
    seconds = (last - first).total_seconds()
    return (len(done_at) - 1) * 3600 / seconds if seconds else None
