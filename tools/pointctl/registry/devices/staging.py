"""The rows of an import in a temporary table, where a few queries check and add them.

So an import of any size needs little memory, and does not slow boards down before it
adds its rows (import_steps.py). The queries use SQL that both databases share.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    func,
    insert,
    literal,
    select,
    update,
)

from pointctl.registry.storage.models import bytewise

_CHUNK = 5000
_BAD_KEPT = 1000


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be imported, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class RowRange:
    """A part of the rows, by their numbers from `first` to before `end`."""

    first: int
    end: int
    import_id: int | None = None  # the import that they belong to until it is finished


@dataclass
class ImportOutcome:
    """How many rows were added, known or bad; `bad` has the first thousand bad ones."""

    added: int = 0
    unchanged: int = 0
    bad_count: int = 0
    bad: list[BadRow] = field(default_factory=list)


class StagingTable:
    """A temporary table of rows, with the line of each and the reason if it is bad.

    `known` is the device name under which the row is registered already. The columns
    `by` are indexed.
    """

    def __init__(self, name: str, *columns: Column[Any], by: tuple[str, ...]) -> None:
        self.table = Table(
            name,
            MetaData(),
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("line", Integer),
            Column("reason", String(200)),
            Column("known", bytewise(64)),
            *columns,
            prefixes=["TEMPORARY"],
        )
        row = self.columns = self.table.c
        self.earlier = self.table.alias("earlier")
        self.is_good = row.reason.is_(None)
        self.is_new = and_(self.is_good, row.known.is_(None))
        self._indexes = [Index(f"{name}_{c}", row[c], row.number) for c in by]

    def is_new_in(self, part: RowRange) -> ColumnElement[bool]:
        """Return the condition for the rows of a part that are to be added."""
        number = self.columns.number
        return and_(self.is_new, number >= part.first, number < part.end)

    def count_rows(self, connection: Connection) -> int:
        """Return how many rows there are, good or bad. Their numbers begin with 0."""
        last = select(func.max(self.columns.number))
        with connection.begin():
            found: int | None = connection.execute(last).scalar_one()
        return 0 if found is None else found + 1

    def fill(self, connection: Connection, rows: Iterable[dict[str, object]]) -> None:
        """Make the table in this connection, and insert the rows."""
        with connection.begin():
            self.table.create(connection, checkfirst=False)
            for index in self._indexes:  # faster to build after the rows are inserted
                index.drop(connection)
        add = insert(self.table)
        numbered = ({"number": n, **row} for n, row in enumerate(rows))
        while chunk := list(islice(numbered, _CHUNK)):
            with connection.begin():
                connection.execute(add, chunk)
        with connection.begin():
            for index in self._indexes:
                index.create(connection)

    def reject(
        self,
        connection: Connection,
        condition: ColumnElement[bool],
        why: str,
        what: ColumnElement[str],
    ) -> None:
        """Mark good rows that meet the condition as bad; the reason is why + what."""
        change = update(self.table).where(self.is_good, condition)
        connection.execute(change.values(reason=literal(why) + what))

    def reject_repeated(self, connection: Connection, name: str, called: str) -> None:
        """Mark rows as bad that repeat the value of an earlier row in a column."""
        same = self.earlier.c[name] == self.columns[name]
        number = select(func.min(self.earlier.c.number)).where(same)
        line = select(self.earlier.c.line).where(same)
        line = line.order_by(self.earlier.c.number).limit(1)
        self.reject(
            connection,
            self.columns.number > number.scalar_subquery(),
            f"the same {called} as in line ",
            line.scalar_subquery().cast(String),
        )

    def count_outcome(self, connection: Connection) -> ImportOutcome:
        """Count new, known and bad rows, and read the first bad ones."""
        row = self.columns
        total, bad = connection.execute(
            select(func.count(row.number), func.count(row.reason))
        ).one()
        new = connection.execute(select(func.count()).where(self.is_new)).scalar_one()
        first = select(row.line, row.reason).where(row.reason.is_not(None))
        first = first.order_by(row.line).limit(_BAD_KEPT)
        rows = [BadRow(line, reason) for line, reason in connection.execute(first)]
        return ImportOutcome(new, total - bad - new, bad, rows)
