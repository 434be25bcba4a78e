"""Rows of an import in a temporary table: checked and then added by a few queries.

However many they are, they take no memory of ours, and until they are added
(imports.py) boards do not notice. The queries are in words that both databases have.
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
    """A row that cannot be taken, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Part:
    """Some of the rows, by their numbers: `end` is not one of them."""

    first: int
    end: int
    import_id: int | None = None  # to whom they belong until all are there


@dataclass
class Imported:
    """What became of the rows; `bad` has the first thousand of the bad ones."""

    added: int = 0
    unchanged: int = 0
    bad_count: int = 0
    bad: list[BadRow] = field(default_factory=list)


class Staged:
    """A temporary table of rows: of each its line, and why it is bad if it is.

    `known` is what is registered of it already. Rows are looked up by the columns `by`.
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
        of = self.of = self.table.c
        self.earlier = self.table.alias("earlier")
        self.is_good = of.reason.is_(None)
        self.is_new = and_(self.is_good, of.known.is_(None))
        self._indexes = [Index(f"{name}_{c}", of[c], of.number) for c in by]

    def new_in(self, part: Part) -> ColumnElement[bool]:
        """Those of a part that are to be added."""
        number = self.of.number
        return and_(self.is_new, number >= part.first, number < part.end)

    def size(self, connection: Connection) -> int:
        """How many rows there are, of all kinds. Their numbers begin with 0."""
        last = select(func.max(self.of.number))
        with connection.begin():
            found: int | None = connection.execute(last).scalar_one()
        return 0 if found is None else found + 1

    def fill(self, connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
        """Make the table in this connection, and put the rows into it."""
        with connection.begin():
            self.table.create(connection, checkfirst=False)
            for index in self._indexes:  # quicker when all rows are there
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
        """Those good rows for which the condition holds are bad, for this reason."""
        change = update(self.table).where(self.is_good, condition)
        connection.execute(change.values(reason=literal(why) + what))

    def reject_repeated(self, connection: Connection, name: str, called: str) -> None:
        """Of rows with the same value in a column the first one counts."""
        same = self.earlier.c[name] == self.of[name]
        number = select(func.min(self.earlier.c.number)).where(same)
        line = select(self.earlier.c.line).where(same)
        line = line.order_by(self.earlier.c.number).limit(1)
        self.reject(
            connection,
            self.of.number > number.scalar_subquery(),
            f"the same {called} as in line ",
            line.scalar_subquery().cast(String),
        )

    def imported(self, connection: Connection) -> Imported:
        """How many rows are new, known and bad, and what is wrong with the first."""
        of = self.of
        total, bad = connection.execute(
            select(func.count(of.number), func.count(of.reason))
        ).one()
        new = connection.execute(select(func.count()).where(self.is_new)).scalar_one()
        shown = select(of.line, of.reason).where(of.reason.is_not(None))
        shown = shown.order_by(of.line).limit(_BAD_KEPT)
        rows = [BadRow(line, reason) for line, reason in connection.execute(shown)]
        return Imported(new, total - bad - new, bad, rows)
