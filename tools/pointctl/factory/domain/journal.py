"""The journal of a job: what was done to which unit, in a file that only grows.

SQLite with synchronous=FULL: what was appended is on the disk when append() returns.
Triggers refuse every change and removal. A key is in it before it is burned, encrypted
under a key that the journal does not hold (registry/storage/vault.py), bound to its
unit.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Self

from sqlalchemy import (
    URL,
    Column,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError

from pointctl.errors import PointctlError
from pointctl.factory.domain import units
from pointctl.factory.domain.units import Step, UnitProgress
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
    Column("run", Integer, nullable=False),  # the id of its `started`
    Column("port", String(200)),
    Column("unit", String(15), index=True),  # None: a board that did not say
    Column("step", String(16), nullable=False),
    Column("reason", String(40)),
    Column("note", String(500)),
    Column("facts", String(2000)),  # JSON, nothing secret
    Column("sealed", String(600)),  # a key, encrypted
)
_REFUSE = (
    "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {what} ON events "
    "BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END"
)


@dataclass(frozen=True)
class Event:
    """One line of the journal."""

    id: int
    at: str
    station: str
    run: int
    port: str | None
    unit: str | None
    step: Step
    reason: str | None
    note: str | None
    facts: dict[str, Any]
    sealed: str | None = field(repr=False)


class JournalError(PointctlError):
    """The journal cannot be read or written: nothing may be done to a board."""


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
        """Say that a station starts; what follows belongs to this run.

        Raises VaultError where the key is missing that the journal is encrypted under.
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
        **facts: Any,
    ) -> int:
        """Add an event, which is on the disk then, and return its number.

        `key` is encrypted; `facts` are kept as JSON. Raises JournalError.
        """
        values = self._values(step, unit, key, facts, port=port, reason=reason)
        values["note"] = note and note[:500]
        return self._insert([values])

    def append_all(
        self,
        step: Step,
        wanted: Iterable[str],
        *,
        reason: str | None = None,
        note: str = "",
    ) -> None:
        """Add the same event for many units, all of them or none."""
        rows = [self._values(step, unit, None, {}, reason=reason) for unit in wanted]
        self._insert([{**row, "note": note[:500] or None} for row in rows])

    def append_keys(self, keys: Mapping[str, str]) -> None:
        """Add the keys of many units, all of them or none."""
        answered = Step.ANSWERED
        rows = [self._values(answered, unit, key, {}) for unit, key in keys.items()]
        self._insert(rows)

    def _values(
        self,
        step: Step,
        unit: str | None,
        key: str | None,
        facts: dict[str, Any],
        *,
        port: str | None = None,
        reason: str | None = None,
    ) -> dict[str, Any]:
        """A row."""
        values: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "station": self._station,
            "run": self._run,
            "port": port,
            "unit": unit,
            "step": step.value,
            "reason": reason,
            "note": None,
            "sealed": None,
        }
        if key is not None:
            assert unit
            facts["key_hash"] = units.key_hash(key)
            values["sealed"] = self._vault.encrypt(key, self._key_id(), _bound(unit))
        facts = {name: value for name, value in facts.items() if value is not None}
        values["facts"] = json.dumps(facts) if facts else None
        return values

    def _insert(self, rows: list[dict[str, Any]]) -> int:
        """Add rows in one transaction; the number of the last one."""
        if not rows:
            return 0
        try:
            with self._lock, self._exclusive.begin() as connection:
                connection.execute(insert(_EVENTS), rows)
                return connection.scalar(select(func.max(_EVENTS.c.id))) or 0
        except DBAPIError as error:
            raise JournalError(
                f"{self.path}: {error.orig}; is the disk full?"
            ) from error

    def events(self, unit: str | None = None, since: int = 0) -> Iterator[Event]:
        """All events, or a unit's, in order; `since` leaves out up to that number."""
        query = select(_EVENTS).where(_EVENTS.c.id > since).order_by(_EVENTS.c.id)
        if unit is not None:
            query = query.where(_EVENTS.c.unit == unit)
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(query).all()
        except DBAPIError as error:
            raise JournalError(f"{self.path}: {error.orig}") from error
        yield from map(_event, rows)

    def standing(self, unit: str) -> UnitProgress:
        """How far a unit has come."""
        found = UnitProgress(unit)
        for each in self.events(unit):
            found = _after(found, each)
        return found

    def standings(self) -> dict[str, UnitProgress]:
        """The same of every unit, in the order in which they first came."""
        found: dict[str, UnitProgress] = {}
        for each in self.events():
            if each.unit is not None:
                before = found.get(each.unit, UnitProgress(each.unit))
                found[each.unit] = _after(before, each)
        return found

    def key(self, unit: str) -> str:
        """The key that a source gave for a unit. Raises JournalError, VaultError."""
        sealed = [each.sealed for each in self.events(unit) if each.sealed]
        if not sealed:
            raise JournalError(f"the journal has no key of {unit}")
        return self._vault.decrypt(sealed[-1], _bound(unit))

    def faults(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        with self._engine.connect() as connection:
            return sqlite.faults(connection)

    def _key_id(self) -> str:
        """The key of the job, which is made where there is none."""
        found = self._vault.newest()
        if found is None:
            self._vault.make_first()
            found = self._vault.newest()
        assert found is not None
        return found


def _after(standing: UnitProgress, event: Event) -> UnitProgress:
    told = {"at": event.at, "reason": event.reason, "note": event.note}
    told |= {name: event.facts.get(name) for name in ("key_hash", "chip")}
    return units.after(standing, event.step, told)


def _event(row: Row[Any]) -> Event:
    values = dict(row._mapping)
    values["facts"] = json.loads(values["facts"]) if values["facts"] else {}
    values["step"] = Step(values["step"])
    return Event(**values)


def _bound(unit: str) -> bytes:
    return f"factory\0{unit}".encode()
