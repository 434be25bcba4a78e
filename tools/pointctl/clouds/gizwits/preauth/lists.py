"""Lists of MACs and IMEIs, as people keep them: text, CSV or .xlsx, one a row."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from point import imei
from point.errors import PointError
from point.gizwits import login as gizwits
from pointctl.clouds.gizwits.preauth.names import MAC_OR_IMEI
from pointctl.lists import workbook

MOST = 100_000  # devices of one list
MOST_BYTES = 8 << 20
_HEADERS = {"mac", "imei", "mac/imei", "imei/mac", "mac address", "macs", "imeis"}
_SHAPE = re.compile(MAC_OR_IMEI)


class BadList(ValueError):
    """It is no such list. The text says where, and is safe to show."""


@dataclass(frozen=True)
class Listed:
    """A device of a list: its line, and its MAC or IMEI as it stands there."""

    line: int
    mac: str

    @property
    def bare(self) -> str:
        """The same as the cloud has it."""
        return bare(self.mac)


def bare(mac: str) -> str:
    """A MAC or IMEI as the cloud has it: two spellings are one device."""
    return gizwits.bare(mac)


def read(content: bytes) -> list[Listed]:
    """The devices of a list. Raises BadList for anything that is none."""
    if len(content) > MOST_BYTES:
        raise BadList(f"a list has at most {MOST_BYTES >> 20} MiB")
    found = [Listed(line, mac) for line, mac in _cells(content) if mac]
    if found and found[0].mac.lower() in _HEADERS:
        del found[0]
    if not found:
        raise BadList("the list is empty")
    if len(found) > MOST:
        raise BadList(f"a list has at most {MOST} devices")
    for each in found:
        if not _SHAPE.fullmatch(each.mac):
            raise BadList(f"line {each.line} is no MAC and no IMEI")
    return found


def check(devices: list[Listed]) -> None:
    """Raise BadList for what costs keys for nothing: doubles, mistyped IMEIs.

    A cloud may take both; a factory should not.
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


def text(devices: list[Listed]) -> bytes:
    """The list as it is sent: UTF-8, one a line."""
    return "".join(f"{each.mac}\n" for each in devices).encode()


def _cells(content: bytes) -> Iterator[tuple[int, str]]:
    """The first cell of each row, with the row's number."""
    try:
        rows = workbook.table(content)
    except workbook.BadWorkbook as error:
        raise BadList(str(error)) from None
    yield from ((n, row[0] if row else "") for n, row in enumerate(rows, 1))
