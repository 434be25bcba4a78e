"""The journal of a job: what was done to which unit, in a file that is only added to.

SQLite with synchronous=FULL: an event is on the disk when append() returns. Triggers
refuse every change and removal. A unit's key is in the journal before it is burned. It
is encrypted under a key outside the journal (registry/storage/vault.py), and bound to
its unit.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Self, TypedDict

from sqlalchemy import (
    URL,
    Column,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError

from pointctl.errors import PointctlError
from pointctl.factory.domain import units
from pointctl.factory.domain.units import Step, StepDetails, UnitProgress
from pointctl.folder import DataFolder, private_folder
from pointctl.registry.storage import sqlite
from pointctl.registry.storage.vault import Vault

_META = MetaData()
_EVENTS = Table(
    "events",
    _META,
    Column("id", Integer, primary_key=True),
    Column("at", String(32), nullable=False),  # UTC, ISO 8601
    Column("station", String(64), nullable=False),
    Column("run", Integer, nullable=False),  # the id of its `started` event
    Column("port", String(200)),
    Column("unit", String(15), index=True),  # None: an unidentified board
    Column("step", String(16), nullable=False),
    Column("reason", String(40)),
    Column("note", String(500)),
    Column("facts", String(2000)),  # JSON without secrets
    Column("sealed", String(600)),  # a key, encrypted
)
_REFUSE = (
    "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {what} ON events "
    "BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END"
)


EventFacts = dict[
    str, str | None
]  # further members of an event: kind, chip, key_hash, label…


@dataclass(frozen=True)
class JournalEvent:
    """One event of the journal."""

    id: int
    at: str
    station: str
    run: int
    port: str | None
    unit: str | None
    step: Step
    reason: str | None
    note: str | None
    facts: EventFacts
    sealed: str | None = field(repr=False)


class _EventRow(TypedDict):
    """A row to insert."""

    at: str
    station: str
    run: int
    port: str | None
    unit: str | None
    step: str
    reason: str | None
    note: str | None
    facts: str | None
    sealed: str | None


class JournalError(PointctlError):
    """The journal cannot be read or written: no board may be touched then."""


class Journal:
    """The events of one job. Threads may share it."""

    def __init__(self, folder: Path, station: str = "") -> None:
        private_folder(folder)
        self.path = folder / "journal.sqlite"
        self._vault = Vault(DataFolder(folder))
        self._station = station or os.uname().nodename[:64]
        self._run = 0
        self._lock = Lock()
        try:
            engine = sqlite.make_engine(URL.create("sqlite", database=str(self.path)))
            self._engine = engine
            self._exclusive = engine.execution_options(pointctl="exclusive")
            with self._exclusive.begin() as connection:
                _META.create_all(connection)
                for what in ("UPDATE", "DELETE"):
                    name = f"no_{what.lower()}"
                    connection.exec_driver_sql(_REFUSE.format(name=name, what=what))
        except DBAPIError as error:
            raise JournalError(f"{self.path}: {error.orig}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def begin(self, note: str | None = None) -> None:
        """Record that a station starts; later events belong to this run.

        Raises VaultError if the key is missing that the journal is encrypted under.
        """
        query = select(_EVENTS.c.sealed).where(_EVENTS.c.sealed.is_not(None))
        with self._engine.connect() as connection:
            sealed = connection.scalar(query.order_by(_EVENTS.c.id.desc()).limit(1))
        if sealed is not None:
            self._vault.check(sealed.partition(".")[0])
        self._run = self.append(Step.STARTED, note=note)

    def append(
        self,
        step: Step,
        unit: str | None = None,
        *,
        port: str | None = None,
        reason: str | None = None,
        note: str | None = None,
        key: str | None = None,
        **facts: str | None,
    ) -> int:
        """Write an event to the disk, and return its number.

        `key` is encrypted; `facts` are kept as JSON. Raises JournalError.
        """
        row = self._row(step, unit, key, facts, port=port, reason=reason, note=note)
        return self._insert([row])

    def append_all(
        self,
        step: Step,
        wanted: Iterable[str],
        *,
        reason: str | None = None,
        note: str | None = None,
    ) -> None:
        """Add the same event for many units, all of them or none."""
        self._insert(
            [
                self._row(step, unit, None, {}, reason=reason, note=note)
                for unit in wanted
            ]
        )

    def append_keys(self, keys: Mapping[str, str]) -> None:
        """Add the keys of many units, all of them or none."""
        self._insert(
            [self._row(Step.ANSWERED, unit, key, {}) for unit, key in keys.items()]
        )

    def _row(
        self,
        step: Step,
        unit: str | None,
        key: str | None,
        facts: EventFacts,
        *,
        port: str | None = None,
        reason: str | None = None,
        note: str | None = None,
    ) -> _EventRow:
        sealed = None
        if key is not None:
            assert unit
            facts = {**facts, "key_hash": units.key_hash(key)}
            sealed = self._vault.encrypt(key, self._key_id(), _bound(unit))
        known = {name: value for name, value in facts.items() if value is not None}
        return {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "station": self._station,
            "run": self._run,
            "port": port,
            "unit": unit,
            "step": step.value,
            "reason": reason,
            "note": note[:500] if note else None,
            "facts": json.dumps(known) if known else None,
            "sealed": sealed,
        }

    def _insert(self, rows: Sequence[_EventRow]) -> int:
        """Add rows in one transaction, and return the number of the last one."""
        if not rows:
            return 0
        try:
            with self._lock, self._exclusive.begin() as connection:
                connection.execute(insert(_EVENTS), rows)
                return connection.scalar(select(func.max(_EVENTS.c.id))) or 0
        except DBAPIError as error:
            raise JournalError(
                f"{self.path}: {error.orig}; check that the disk is not full"
            ) from error

    def events(self, unit: str | None = None, since: int = 0) -> Iterator[JournalEvent]:
        """Yield all events, or a unit's, in order; those after number `since`."""
        query = select(_EVENTS).where(_EVENTS.c.id > since).order_by(_EVENTS.c.id)
        if unit is not None:
            query = query.where(_EVENTS.c.unit == unit)
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query).mappings().all()
        except DBAPIError as error:
            raise JournalError(f"{self.path}: {error.orig}") from error
        yield from map(_event, rows)

    def progress(self, unit: str) -> UnitProgress:
        """Return how far a unit has come."""
        progress = UnitProgress(unit)
        for event in self.events(unit):
            progress = _advance(progress, event)
        return progress

    def all_progress(self) -> dict[str, UnitProgress]:
        """Return the progress of every unit, in the order of their first events."""
        progress: dict[str, UnitProgress] = {}
        for event in self.events():
            if event.unit is not None:
                before = progress.get(event.unit, UnitProgress(event.unit))
                progress[event.unit] = _advance(before, event)
        return progress

    def key(self, unit: str) -> str:
        """Return the key that a source gave for a unit.

        Raises JournalError, VaultError.
        """
        sealed = [each.sealed for each in self.events(unit) if each.sealed]
        if not sealed:
            raise JournalError(f"the journal has no key of {unit}")
        return self._vault.decrypt(sealed[-1], _bound(unit))

    def faults(self) -> list[str]:
        """Return what SQLite finds wrong with the file."""
        with self._engine.connect() as connection:
            return sqlite.faults(connection)

    def _key_id(self) -> str:
        """Return the id of the job's key, which is made if there is none."""
        found = self._vault.newest()
        if found is None:
            self._vault.make_first()
            found = self._vault.newest()
        assert found is not None
        return found


def _advance(progress: UnitProgress, event: JournalEvent) -> UnitProgress:
    details = StepDetails(
        at=event.at,
        note=event.note,
        reason=event.reason,
        key_hash=event.facts.get("key_hash"),
        chip=event.facts.get("chip"),
    )
    return units.advance(progress, event.step, details)


def _event(row: RowMapping) -> JournalEvent:
    facts = json.loads(row["facts"]) if row["facts"] else {}
    return JournalEvent(**{**row, "facts": facts, "step": Step(row["step"])})


def _bound(unit: str) -> bytes:
    """Return the context that a unit's key is encrypted for."""
    return f"factory\0{unit}".encode()
