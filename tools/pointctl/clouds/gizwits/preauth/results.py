"""The .xlsx that is a batch's result. The document does not say what is in it.

Ours has a header row: mac, auth_key, created_at, error_code, error. Another cloud's is
read by its header's names in any order, or, without a header, as MAC and key.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pointctl.errors import BadReply
from pointctl.lists import workbook

HEADER = ("mac", "auth_key", "created_at", "error_code", "error")
_MAC = {"mac", "imei", "mac/imei", "imei/mac"}
_KEY = {"auth_key", "authkey", "auth key", "key"}
_IS_KEY = re.compile("[0-9A-Fa-f]{32}")


@dataclass(frozen=True)
class KeyRow:
    """The outcome of one device of a batch."""

    mac: str
    auth_key: str | None = field(repr=False)
    created_at: str = ""
    error_code: str = ""
    error: str = ""


def write(path: Path, rows: Iterable[KeyRow]) -> None:
    """Write the .xlsx, every cell as text."""
    cells = (
        (row.mac, row.auth_key or "", row.created_at, row.error_code, row.error)
        for row in rows
    )
    workbook.write_workbook(path, HEADER, cells)


def parse(content: bytes) -> list[KeyRow]:
    """The rows of a result. Raises BadReply."""
    try:
        rows = [row for row in workbook.read_workbook(content) if any(row)]
    except workbook.BadWorkbook as error:
        raise BadReply(f"the result: {error}") from None
    columns = {"mac": 0, "key": 1}
    if rows and (found := _find_columns(rows[0])):
        columns, rows = found, rows[1:]
    return [_row(row, columns) for row in rows]


def _find_columns(header: list[str]) -> dict[str, int]:
    """The numbers of the columns by their names; empty where this is not a header."""
    names = [cell.strip().lower() for cell in header]
    found = {
        what: next((i for i, name in enumerate(names) if name in known), None)
        for what, known in (("mac", _MAC), ("key", _KEY))
    }
    if None in found.values():
        return {}
    found |= {name: i for i, name in enumerate(names) if name in HEADER[2:]}
    return {what: i for what, i in found.items() if i is not None}


def _row(row: list[str], columns: dict[str, int]) -> KeyRow:
    def cell(what: str) -> str:
        place = columns.get(what)
        return row[place] if place is not None and place < len(row) else ""

    key = cell("key")
    if key and not _IS_KEY.fullmatch(key):
        raise BadReply("the result: a key is not 32 hex digits")
    if not cell("mac"):
        raise BadReply("the result: a row has no MAC")
    details = (cell(name) for name in HEADER[2:])
    return KeyRow(cell("mac"), key or None, *details)
