"""Read lists of units: text, CSV or .xlsx, the unit in the first cell of each row."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pointctl.clouds.gizwits.preauth import lists
from pointctl.errors import PointctlError
from pointctl.factory.domain.units import parse_unit
from pointctl.lists import workbook


def read_rows(path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the number and the cells of each row that is not empty.

    Raises PointctlError.
    """
    content = path.read_bytes()
    if len(content) > lists.MOST_BYTES:
        raise PointctlError(
            f"{path} is too large: a list has at most {lists.MOST_BYTES >> 20} MiB"
        )
    try:
        found = workbook.read_table(content)
    except workbook.BadWorkbook as error:
        raise PointctlError(f"{path}: {error}") from None
    for number, row in enumerate(found, 1):
        if any(row):
            yield number, row


def read_units(path: Path) -> list[str]:
    """Return the units of a list. Raises PointctlError that names every bad row."""
    found: dict[str, int] = {}
    bad: list[str] = []
    for number, row in read_rows(path):
        try:
            unit = parse_unit(row[0])
        except PointctlError as error:
            if not (number == 1 and not any(c.isdigit() for c in row[0])):  # a header
                bad.append(f"line {number}: {error}")
            continue
        if unit in found:
            bad.append(f"line {number} repeats line {found[unit]}")
        found.setdefault(unit, number)
    if bad:
        more = f"\n  and {len(bad) - 20} more" if len(bad) > 20 else ""
        raise PointctlError(f"{path}:\n  " + "\n  ".join(bad[:20]) + more)
    if not found:
        raise PointctlError(
            f"{path} has no unit in it: write an IMEI or a MAC first in each row"
        )
    return list(found)
