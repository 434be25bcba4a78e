"""Keys from a file that `pointctl factory batch` or another tool has written.

CSV, .xlsx or text: a unit and its key in each row. The file is never changed: the
journal records which keys were used.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pointctl.errors import PointctlError, Refused
from pointctl.factory.domain import unit_lists
from pointctl.factory.domain.units import parse_unit
from pointctl.factory.sources.source import Key, KeyDenied, KeyStock

_LENGTHS = (32, 64)  # hex digits of an auth_key, of a claim key


class ListedKeys:
    """The keys in a file that only its owner may read."""

    repeats_are_free = True

    def __init__(self, path: Path, used: int) -> None:
        if not path.is_file():
            raise PointctlError(f"{path} is missing; name a file of units and keys")
        if path.stat().st_mode & 0o077:
            raise Refused(f"others may read {path}: chmod 600 {path}")
        self._path = path
        self._used = used
        self._keys: dict[str, str] = {}
        for line, row in unit_lists.read_rows(path):
            self._add(line, row)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: no file is open."""

    def request_key(self, unit: str) -> Key:
        """Return the unit's key. Raises KeyDenied if the file has none."""
        text = self._keys.get(unit)
        if text is None:
            raise KeyDenied(
                f"{self._path.name} has no key of {unit}; add it to the file"
            )
        return Key(text)

    def stocks(self) -> Sequence[KeyStock]:
        """Return the keys of the file as one supply."""
        return [KeyStock(self._path.name, len(self._keys), self._used)]

    def _add(self, line: int, row: Sequence[str]) -> None:
        if line == 1 and not any(_is_key(cell) for cell in row):
            return  # a header
        key = next((cell.lower() for cell in row[1:] if _is_key(cell)), None)
        unit = parse_unit(row[0])
        if key is None:
            raise PointctlError(
                f"{self._path}: line {line} has no key of 32 or 64 hex digits"
            )
        if self._keys.setdefault(unit, key) != key:
            raise PointctlError(f"{self._path}: line {line} has another key of {unit}")


def _is_key(cell: str) -> bool:
    return len(cell) in _LENGTHS and set(cell.lower()) <= set("0123456789abcdef")
