"""Counts of the fleet, for the overview page, the API and the metrics."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypedDict, TypeVar

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select

from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Device, Pooled, Product, Source, State

_Count = TypeVar("_Count")

_MANY = 10_000  # devices; fewer are counted anew for each request
_KEPT_S = 10  # as often as the page reloads


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
class EnrolmentStep:
    """How many devices got their first credential in one step of a span."""

    start: datetime
    count: int


class PoolCount(TypedDict):
    """How many credentials of a product's pool are left and taken, as it is printed."""

    product_key: str
    left: int
    taken: int
    low: bool


class FleetCounts:
    """The counts of the overview; for a large registry, each is kept for ten seconds.

    So a large registry is not counted more often, however many people look. Each
    process keeps its own counts, and two processes may differ by ten seconds: the
    counts are for people, and no decision depends on them. Threads may share it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._are_many = False
        self._kept: dict[str, tuple[float, Any]] = {}  # until when

    def count_states(self) -> dict[State, int]:
        """Return how many devices are in each state."""
        found = self._cached("states", lambda: count_states(self._database))
        self._are_many = sum(found.values()) >= _MANY
        return found

    def count_enrolments(self, span: Span) -> Sequence[EnrolmentStep]:
        """Return the steps of a span, oldest first."""
        return self._cached(span, lambda: count_enrolments(self._database, span))

    def count_pools(self) -> list[PoolCount]:
        """Return what each product with a pool has left."""
        return self._cached("pools", lambda: count_pools(self._database))

    def _cached(self, what: str, count: Callable[[], _Count]) -> _Count:
        with self._lock:  # requests that wait here get the same result
            until, kept = self._kept.get(what, (0.0, None))
            if self._are_many and time.monotonic() < until:
                found: _Count = kept
                return found
            made = count()
            self._kept[what] = time.monotonic() + _KEPT_S, made
            return made


def find_span_start(span: Span) -> datetime:
    """Return when the first step of a span begins. The last step is not over yet."""
    step, number = _STEPS[span]
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((now - midnight) // step + 1 - number) * step


def count_states(database: Database) -> dict[State, int]:
    """Return how many devices are in each state."""
    query = select(Device.state, func.count()).group_by(Device.state)
    with database.snapshot() as session:
        found: dict[State, int] = dict(session.execute(query).all())
    return {state: found.get(state, 0) for state in State}


def count_enrolled(database: Database) -> int:
    """Return how many devices were ever issued a credential."""
    with database.snapshot() as session:
        return session.scalar(select(func.count(Device.enrolled_at))) or 0


def count_enrolments(database: Database, span: Span) -> Sequence[EnrolmentStep]:
    """Return the steps of a span, oldest first."""
    step, number = _STEPS[span]
    starts = [find_span_start(span) + i * step for i in range(number)]
    # Each count walks along the index of the dates, in SQL that both databases share;
    # each has other functions for grouping by the hour.
    counts = [
        _select_enrolled(start, start + step).scalar_subquery() for start in starts
    ]
    with database.snapshot() as session:
        found = session.execute(select(*counts)).one()
    return [
        EnrolmentStep(start, count) for start, count in zip(starts, found, strict=True)
    ]


def count_pools(database: Database) -> list[PoolCount]:
    """Return what each product with a pool has left."""
    left = _count_pooled(Pooled.device_id.is_(None))
    taken = _count_pooled(Pooled.device_id.is_not(None))
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


def _count_pooled(which: ColumnElement[bool]) -> ScalarSelect[int]:
    query = select(func.count(Pooled.id)).where(
        Pooled.product_key == Product.product_key, which
    )
    return query.scalar_subquery()


def _select_enrolled(start: datetime, end: datetime) -> Select[int]:
    return select(func.count(Device.enrolled_at)).where(
        Device.enrolled_at >= start, Device.enrolled_at < end
    )
