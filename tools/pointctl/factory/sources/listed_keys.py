"""Keys from a file: what `pointctl factory batch` or another tool has fetched before.

CSV, .xlsx or text: a unit and its key in each row. A key is taken from the file once:
the journal says for whom, the file itself is never changed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pointctl.errors import PointctlError, Refused
from pointctl.factory.domain import unit_lists
from pointctl.factory.domain.units import checked_unit
from pointctl.factory.sources.source import Denied, Key, Stock

_LENGTHS = (32, 64)  # hex digits of an auth_key, of a claim key


class ListedKeys:
    """The keys of a file, which nobody else may read."""

    repeats_are_free = True

    def __init__(self, path: Path, given: int) -> None:
        if not path.is_file():
            raise PointctlError(f"{path} is missing")
        if path.stat().st_mode & 0o077:
            raise Refused(f"others may read {path}: chmod 600 {path}")
        self._path = path
        self._given = given
        self._keys: dict[str, str] = {}
        for line, row in unit_lists.rows(path):
            self._add(line, row)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is open."""

    def key(self, unit: str) -> Key:
        """The unit's key. Raises Denied for one that is not in the file."""
        text = self._keys.get(unit)
        if text is None:
            raise Denied(f"{self._path.name} has no key of {unit}")
        return Key(text)

    def stocks(self) -> Sequence[Stock]:
        """The file."""
        return [Stock(self._path.name, len(self._keys), self._given)]

    def _add(self, line: int, row: Sequence[str]) -> None:
        if line == 1 and not any(_is_key(cell) for cell in row):
            return  # a header
        key = next((cell.lower() for cell in row[1:] if _is_key(cell)), None)
        unit = checked_unit(row[0])
        if key is None:
            raise PointctlError(f"{self._path}: line {line} has no key")
        if self._keys.setdefault(unit, key) != key:
            raise PointctlError(f"{self._path}: line {line} has another key of {unit}")


def _is_key(cell: str) -> bool:
    return len(cell) in _LENGTHS and set(cell.lower()) <= set("0123456789abcdef")
