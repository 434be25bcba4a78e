"""Devices as CSV files, in and out."""

import csv
from collections.abc import Iterator
from typing import TextIO

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from pointctl.errors import PointctlError
from pointctl.registry.database import Database
from pointctl.registry.devices import BadRow, Row, checked_row, summary
from pointctl.registry.models import Device

ENCODING = "utf-8-sig"  # spreadsheets begin a UTF-8 file with a mark; others need none
_COLUMNS = ("imei", "product_key", "device_name", "state", "issued_at")


def read(file: TextIO) -> Iterator[Row | BadRow]:
    """The rows of a CSV file with the header `imei` or `imei,device_name`.

    Open it with ENCODING and newline="". It is read row by row; blank rows are passed
    over. Raises PointctlError for what is no such file at all.
    """
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if header not in (["imei"], ["imei", "device_name"]):
            raise PointctlError("line 1 must be the header imei or imei,device_name")
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if any(cells):
                yield _row(reader.line_num, cells, len(header))
    except UnicodeDecodeError as error:
        raise PointctlError("the file is not UTF-8; save it as CSV UTF-8") from error
    except csv.Error as error:
        raise PointctlError(f"line {reader.line_num}: {error}") from error


def _row(line: int, cells: list[str], columns: int) -> Row | BadRow:
    if len(cells) > columns:
        return BadRow(line, f"{len(cells)} cells under {columns} columns")
    name = cells[1] if len(cells) == 2 else ""
    return checked_row(line, cells[0], name or None)


def write(database: Database, file: TextIO, *, secrets: bool = False) -> int:
    """Write every device as CSV and return how many there were.

    With `secrets` there is one more column, device_secret, empty before the first
    access. Open the file with newline="".
    """
    columns = (*_COLUMNS, "device_secret") if secrets else _COLUMNS
    query = select(Device).order_by(Device.id).execution_options(yield_per=1000)
    if secrets:
        query = query.options(joinedload(Device.credential))
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    count = 0
    with database.reading() as session:
        for device in session.scalars(query):
            row = summary(device)
            if secrets and device.credential is not None:
                row["device_secret"] = device.credential.device_secret
            writer.writerow(row)
            count += 1
    return count
