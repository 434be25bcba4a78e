"""WriteBatch: the writes of several requests, made with few statements."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Insert, Update

Statement = Insert | Update
Values = Mapping[str, Any]  # of a statement's parameters, by their names


class WriteBatch:
    """Inserts and updates that are put off, and then made all together.

    Nobody reads them before, and none may ask for a result: inserts are inline().
    """

    def __init__(self) -> None:
        self._rows: dict[Statement, list[Values]] = {}

    def add(self, statement: Statement, values: Values) -> None:
        """Put off one write; all values of a statement have the same names."""
        self._rows.setdefault(statement, []).append(values)

    def include(self, others: "WriteBatch") -> None:
        """Put off the writes of another batch, too."""
        for statement, rows in others._rows.items():
            self._rows.setdefault(statement, []).extend(rows)

    def make(self, connection: Connection) -> None:
        """Make the writes, in the order in which their statements were first added."""
        for statement, rows in self._rows.items():
            connection.execute(statement, rows)
        self._rows.clear()
