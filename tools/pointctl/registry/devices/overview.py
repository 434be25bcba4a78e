"""What the fleet is doing, in figures: for the overview page and the API."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select

from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, Pooled, Product, Source, State

_Count = TypeVar("_Count")

_MANY = 10_000  # devices; fewer are counted anew each time
_KEPT_S = 10  # as often as the page asks


class Span(StrEnum):
    """How far back an overview looks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_STEPS = {
    Span.DAY: (timedelta(hours=1), 24),
    Span.WEEK: (timedelta(hours=6), 28),
    Span.MONTH: (timedelta(days=1), 30),
}


@dataclass(frozen=True)
class Step:
    """How many devices got their first credential in one step of a span."""

    start: datetime
    count: int


class Figures:
    """The counts of an overview; of many devices each is made every ten seconds only.

    However many look, a large registry is counted no more often. Each process keeps its
    own, and for so long two may tell of different moments: people look at them, and
    nothing is decided by them. Threads may share it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._are_many = False
        self._kept: dict[str, tuple[float, Any]] = {}  # until when

    def states(self) -> dict[State, int]:
        """How many devices are in each state."""
        found = self._counted("states", lambda: states(self._database))
        self._are_many = sum(found.values()) >= _MANY
        return found

    def enrolments(self, span: Span) -> Sequence[Step]:
        """A span's steps, oldest first."""
        return self._counted(span, lambda: enrolments(self._database, span))

    def pools(self) -> list[dict[str, Any]]:
        """The products that hand out imported credentials, and what is left."""
        return self._counted("pools", lambda: pools(self._database))

    def _counted(self, what: str, count: Callable[[], _Count]) -> _Count:
        with self._lock:  # who comes meanwhile is told the same
            until, kept = self._kept.get(what, (0.0, None))
            if self._are_many and time.monotonic() < until:
                found: _Count = kept
                return found
            made = count()
            self._kept[what] = time.monotonic() + _KEPT_S, made
            return made


def beginning(span: Span) -> datetime:
    """When the first step of a span begins: whole steps, the last is not over yet."""
    step, number = _STEPS[span]
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((now - midnight) // step + 1 - number) * step


def states(database: Database) -> dict[State, int]:
    """How many devices are in each state."""
    query = select(Device.state, func.count()).group_by(Device.state)
    with database.snapshot() as session:
        found: dict[State, int] = dict(session.execute(query).all())
    return {state: found.get(state, 0) for state in State}


def enrolled(database: Database) -> int:
    """How many devices were ever issued a credential."""
    with database.snapshot() as session:
        return session.scalar(select(func.count(Device.enrolled_at))) or 0


def enrolments(database: Database, span: Span) -> Sequence[Step]:
    """A span's steps, oldest first."""
    step, number = _STEPS[span]
    starts = [beginning(span) + i * step for i in range(number)]
    # Each count is a walk along the index of the dates, in words that all databases
    # have; grouping by the hour is said differently in each.
    counts = [_enrolled(start, start + step).scalar_subquery() for start in starts]
    with database.snapshot() as session:
        found = session.execute(select(*counts)).one()
    return [Step(start, count) for start, count in zip(starts, found, strict=True)]


def pools(database: Database) -> list[dict[str, Any]]:
    """The products that hand out imported credentials, and how many each has left."""
    left = _pooled(Pooled.device_id.is_(None))
    taken = _pooled(Pooled.device_id.is_not(None))
    query = (
        select(Product.product_key, Product.pool_warn_below, left, taken)
        .where(Product.source == Source.POOL)
        .order_by(Product.product_key)
    )
    with database.snapshot() as session:
        return [
            {"product_key": key, "left": left, "taken": taken, "low": left < warn_below}
            for key, warn_below, left, taken in session.execute(query)
        ]


def _pooled(which: ColumnElement[bool]) -> ScalarSelect[int]:
    query = select(func.count(Pooled.id)).where(
        Pooled.product_key == Product.product_key, which
    )
    return query.scalar_subquery()


def _enrolled(start: datetime, end: datetime) -> Select[int]:
    return select(func.count(Device.enrolled_at)).where(
        Device.enrolled_at >= start, Device.enrolled_at < end
    )
