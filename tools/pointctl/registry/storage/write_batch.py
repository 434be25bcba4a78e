"""WriteBatch of several requests, made with few statements."""

from typing import Any

from sqlalchemy import Connection, Insert, Update

Statement = Insert | Update


class WriteBatch:
    """Inserts and updates that nobody reads until they are made, all together.

    None may ask for a result: inserts are inline().
    """

    def __init__(self) -> None:
        self._rows: dict[Statement, list[dict[str, Any]]] = {}

    def add(self, statement: Statement, values: dict[str, Any]) -> None:
        """Put off one of them; all values of a statement have the same names."""
        self._rows.setdefault(statement, []).append(values)

    def include(self, others: "WriteBatch") -> None:
        """Put off those, too."""
        for statement, rows in others._rows.items():
            self._rows.setdefault(statement, []).extend(rows)

    def make(self, connection: Connection) -> None:
        """Make them, in the order in which their statements were first added."""
        for statement, rows in self._rows.items():
            connection.execute(statement, rows)
        self._rows.clear()
