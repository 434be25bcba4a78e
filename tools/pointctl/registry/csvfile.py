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
from pointctl.registry.vault import of_device

ENCODING = "utf-8-sig"  # spreadsheets begin a UTF-8 file with a mark; others need none
_COLUMNS = ("imei", "product_key", "device_name", "state", "issued_at")


def read(file: TextIO) -> Iterator[Row | BadRow]:
    """The rows of a CSV file with the header `imei` or `imei,device_name`.

    Open it with ENCODING. It is read line by line; blank lines are passed over. Raises
    PointctlError for what is no such file at all.
    """
    try:
        header = [name.lower() for name in _cells(file.readline())]
        if header not in (["imei"], ["imei", "device_name"]):
            raise PointctlError("line 1 must be the header imei or imei,device_name")
        for number, line in enumerate(file, 2):
            row = _row(number, line, len(header))
            if row is not None:
                yield row
    except UnicodeDecodeError as error:
        raise PointctlError("the file is not UTF-8; save it as CSV UTF-8") from error


def _row(number: int, line: str, columns: int) -> Row | BadRow | None:
    # A line is a row: no cell of ours holds a line break, and so a quote that is never
    # closed spoils its own line only.
    try:
        cells = _cells(line)
    except csv.Error as error:
        return BadRow(number, f"not CSV: {error}")
    if not any(cells):
        return None
    if len(cells) > columns:
        return BadRow(number, f"{len(cells)} cells under {columns} columns")
    name = cells[1] if len(cells) == 2 else ""
    return checked_row(number, cells[0], name or None)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], strict=True), [])]


def write(database: Database, file: TextIO, *, secrets: bool = False) -> int:
    """Write every device as CSV and return how many there were.

    With `secrets` there is one more column, device_secret, empty before the first
    access. Open the file with newline="".
    """
    columns = (*_COLUMNS, "device_secret") if secrets else _COLUMNS
    query = select(Device).order_by(Device.id).execution_options(yield_per=1000)
    query = query.options(joinedload(Device.batch))
    if secrets:
        query = query.options(joinedload(Device.credential))
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    count = 0
    with database.reading() as session:
        for device in session.scalars(query):
            row = summary(device)
            if secrets and device.credential is not None:
                row["device_secret"] = database.vault.decrypt(
                    device.credential.encrypted_secret or "", of_device(device.id)
                )
            writer.writerow(row)
            count += 1
    return count
