"""How many requests of boards are refused, by the hour, the product and the code.

They are counted in memory and written every few seconds: a flood of refusals costs the
database one row a product and code, and a board's success costs it nothing. A process
that is killed loses what it had not written; these are figures for people, and nothing
is decided by them. Several processes add to the same rows.
"""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from sqlalchemy import delete, func, select

from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Product, Refusals, table

KEEP = timedelta(days=90)
_MOST_KINDS = 1000  # in memory: strangers may name any product


class RefusalCount(TypedDict):
    """How often a code was answered."""

    code: str
    count: int


class RefusalCounter:
    """Counts refusals until they are written. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, product_key: str | None, code: str) -> None:
        """Count one refusal."""
        key = product_key or "", code
        with self._lock:
            if key not in self._counts and len(self._counts) >= _MOST_KINDS:
                key = "", code
            self._counts[key] += 1

    def write(self) -> None:
        """Add the counts to the database; on a DatabaseError they are lost."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if counts:
            _write(self._database, counts)


def _write(database: Database, counts: Counter[tuple[str, str]]) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with database.exclusive() as session:
        known = set(session.scalars(select(Product.product_key)))
        sums: Counter[tuple[str, str]] = Counter()
        for (product_key, code), count in counts.items():
            sums[product_key if product_key in known else "", code] += count
        rows = [
            {"hour": hour, "product_key": product_key, "code": code, "count": count}
            for (product_key, code), count in sorted(sums.items())
        ]
        adding = database.upsert(table(Refusals))
        adding = adding.on_conflict_do_update(
            index_elements=[Refusals.hour, Refusals.product_key, Refusals.code],
            set_={"count": Refusals.count + adding.excluded.count},
        )
        session.execute(adding, rows)
        session.execute(delete(Refusals).where(Refusals.hour < hour - KEEP))


def since(database: Database, moment: datetime) -> list[RefusalCount]:
    """The sums by code from this hour on, the most frequent code first."""
    total = func.sum(Refusals.count)
    query = (
        select(Refusals.code, total)
        .where(Refusals.hour >= moment)
        .group_by(Refusals.code)
        .order_by(total.desc(), Refusals.code)
    )
    with database.snapshot() as session:
        return [{"code": code, "count": int(n)} for code, n in session.execute(query)]
