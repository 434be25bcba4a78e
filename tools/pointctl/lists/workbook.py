"""Read tables from .xlsx, CSV or text that nobody has checked, and write .xlsx.

A workbook of a few bytes can claim a million rows of 16,384 columns, or unpack to more
than fits in memory, and the library that reads it would try. So its size is checked
first.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import python_calamine

_MAGIC = b"PK\x03\x04"
_MOST_ROWS = 200_000
_MOST_COLUMNS = 64
_MOST_UNPACKED_BYTES = 64 << 20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_TAG = re.compile(rb"<(?:\w+:)?(?:c|row|dimension)(?=[\s/>])([^>]*)>")
_PLACE = re.compile(rb"""\b(?:r|ref)\s*=\s*["'](?:[A-Z]+\d+:)?([A-Z]*)(\d+)["']""")

Row = list[str]


class BadWorkbook(ValueError):
    """The content is not a table that can be read. The text is safe to show."""


def read_table(content: bytes) -> list[Row]:
    """Return the rows of a workbook's first sheet, of a CSV file, or of text.

    Raises BadWorkbook.
    """
    if content.startswith(_MAGIC):
        return read_workbook(content)
    try:
        text = content.decode("utf-8-sig")
        found = list(csv.reader(io.StringIO(text, newline="")))
    except UnicodeDecodeError:
        raise BadWorkbook(
            "the list is neither UTF-8 text nor .xlsx: save it as one of them"
        ) from None
    except csv.Error as error:
        raise BadWorkbook(f"the list is not CSV: {error}") from None
    return [[cell.strip() for cell in row] for row in found]


def read_workbook(content: bytes) -> list[Row]:
    """Return the rows of the first sheet, every cell as text.

    A whole number has no decimal point. Raises BadWorkbook.
    """
    _check_size(content)
    try:
        with python_calamine.load_workbook(io.BytesIO(content)) as book:
            if not book.sheet_names:
                raise BadWorkbook("the workbook has no sheet")
            sheet = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except BadWorkbook:
        raise
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # the library's panic is not an Exception
        raise BadWorkbook("the file is not a valid .xlsx: save it again") from None
    return [[_text(cell) for cell in row] for row in sheet]


def write_workbook(
    path: Path, header: Sequence[str], body: Iterable[Sequence[str]]
) -> None:
    """Write a sheet in which every cell is text, so that IMEIs keep their digits."""
    # Imported here: only commands that write a workbook wait for it.
    import xlsxwriter

    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet()
        sheet.set_column(0, len(header) - 1, 34)
        for number, row in enumerate([header, *body]):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))  # exact: a double holds 15 digits
    return str(cell).strip()


def _check_size(content: bytes) -> None:
    """Raise BadWorkbook for a workbook that would be too large in memory."""
    left = _MOST_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    part = file.read(left + 1)
                left -= len(part)
                if left < 0:
                    raise BadWorkbook("the workbook is too large")
                _check_places(part)
    except BadWorkbook:
        raise
    except Exception:  # zipfile and zlib raise many types
        raise BadWorkbook("the file is not a valid .xlsx: save it again") from None


def _check_places(part: bytes) -> None:
    """Raise BadWorkbook unless each row and cell has a position within the bounds."""
    if part.startswith(_UTF_16) or (b"\0" in part[:4] and b"<" in part[:4]):
        raise BadWorkbook("the sheet is not in UTF-8")
    if b"sheetData" not in part:
        return
    for attributes in _TAG.findall(part):
        place = _PLACE.search(attributes)
        if place is None:
            raise BadWorkbook("the sheet has cells without a position")
        if _column(place[1]) > _MOST_COLUMNS or int(place[2][:9]) > _MOST_ROWS:
            raise BadWorkbook("the sheet has too many rows or columns")


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters[:4]:
        number = number * 26 + letter - 64
    return number
