"""Lists of MACs and IMEIs: text, CSV or .xlsx, one device a row."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from point import imei
from point.errors import PointError
from pointctl.clouds.gizwits.preauth.names import MAC_OR_IMEI, normalize_mac
from pointctl.lists import workbook

MOST_DEVICES = 100_000  # of one list
MOST_BYTES = 8 << 20
_HEADERS = {"mac", "imei", "mac/imei", "imei/mac", "mac address", "macs", "imeis"}
_SHAPE = re.compile(MAC_OR_IMEI)


class BadList(ValueError):
    """A list cannot be used. The text says where it is wrong, and is safe to show."""


@dataclass(frozen=True)
class ListEntry:
    """A device of a list: its line, and its MAC or IMEI as it is written there."""

    line: int
    mac: str

    @property
    def bare(self) -> str:
        """The MAC or IMEI as the cloud has it."""
        return normalize_mac(self.mac)


def read_list(content: bytes) -> list[ListEntry]:
    """The devices of a list. Raises BadList."""
    if len(content) > MOST_BYTES:
        raise BadList(f"a list has at most {MOST_BYTES >> 20} MiB")
    found = [ListEntry(line, mac) for line, mac in _cells(content) if mac]
    if found and found[0].mac.lower() in _HEADERS:
        del found[0]
    if not found:
        raise BadList("the list is empty")
    if len(found) > MOST_DEVICES:
        raise BadList(f"a list has at most {MOST_DEVICES} devices")
    for each in found:
        if not _SHAPE.fullmatch(each.mac):
            raise BadList(f"line {each.line} is neither a MAC nor an IMEI")
    return found


def check_list(devices: list[ListEntry]) -> None:
    """Raise BadList for what wastes keys: repeated devices, mistyped IMEIs.

    A cloud may accept both; a factory should not.
    """
    lines: dict[str, int] = {}
    for each in devices:
        if each.bare in lines:
            raise BadList(f"line {each.line} repeats line {lines[each.bare]}")
        lines[each.bare] = each.line
        if len(each.bare) == 15:
            try:
                imei.check(each.bare)
            except PointError as error:
                raise BadList(f"line {each.line}: {error.detail}") from None


def write_text(devices: list[ListEntry]) -> bytes:
    """The list as it is sent: UTF-8, one device a line."""
    return "".join(f"{each.mac}\n" for each in devices).encode()


def _cells(content: bytes) -> Iterator[tuple[int, str]]:
    """The first cell of each row, with the row's number."""
    try:
        rows = workbook.read_table(content)
    except workbook.BadWorkbook as error:
        raise BadList(str(error)) from None
    yield from ((n, row[0] if row else "") for n, row in enumerate(rows, 1))
