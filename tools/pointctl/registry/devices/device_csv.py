"""Devices as CSV files, in and out."""

import csv
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from pointctl.errors import PointctlError
from pointctl.registry import audit
from pointctl.registry.devices import search
from pointctl.registry.devices.devices import BadRow, Row, checked_row
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Credential, CredentialSlot, Device
from pointctl.registry.storage.vault import of_device

ENCODING = "utf-8-sig"  # spreadsheets begin a UTF-8 file with a mark; others need none
_COLUMNS = ("imei", "product_key", "device_name", "state", "batch", "tags", "issued_at")
_CHUNK = 1000

Cells = dict[str, str]  # by the names of the columns
_Read = TypeVar("_Read")


def read(file: TextIO) -> Iterator[Row | BadRow]:
    """The rows of a CSV file with the columns imei, and device_name, and tags.

    Only the first has to be there; tags are set apart by blanks. What else an export
    has is passed over. Open it with ENCODING. It is read line by line; blank lines are
    passed over. Raises PointctlError for what is no such file at all.
    """

    def row(number: int, cells: Cells) -> Row | BadRow:
        name, tags = cells.get("device_name") or None, cells.get("tags", "").split()
        return checked_row(number, cells["imei"], name, tags)

    return read_rows(file, ("imei",), _COLUMNS[1:], row)


def read_rows(
    file: TextIO,
    needed: tuple[str, ...],
    allowed: tuple[str, ...],
    row: Callable[[int, Cells], _Read],
) -> Iterator[_Read | BadRow]:
    """Read a CSV file with these columns; row() makes each line's cells into a row."""
    try:
        columns = _header(file.readline(), needed, allowed)
        for number, line in enumerate(file, 2):
            # A line is a row: no cell of ours holds a line break, and so a quote that
            # is never closed spoils its own line only.
            try:
                cells = _cells(line)
            except csv.Error as error:
                yield BadRow(number, f"not CSV: {error}")
                continue
            if len(cells) > len(columns):
                why = f"{len(cells)} cells under {len(columns)} columns"
                yield BadRow(number, why)
            elif any(cells):
                cells += [""] * (len(columns) - len(cells))
                yield row(number, dict(zip(columns, cells, strict=True)))
    except UnicodeDecodeError as error:
        raise PointctlError("the file is not UTF-8; save it as CSV UTF-8") from error


def _header(line: str, needed: tuple[str, ...], allowed: tuple[str, ...]) -> list[str]:
    known = {name.replace("_", ""): name for name in needed + allowed}
    given = [name.lower().replace("_", "").replace(" ", "") for name in _cells(line)]
    columns = [known.get(name, "") for name in given]
    if "" in columns or len(set(columns)) < len(columns) or not {*needed} <= {*columns}:
        raise PointctlError(
            f"line 1 must name the columns {', '.join(needed)}, each once; there may "
            f"also be {', '.join(allowed)}"
        )
    return columns


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], strict=True), [])]


def write(
    database: Database, file: TextIO, filters: search.Filters | None = None
) -> int:
    """Write devices as CSV, in the order of registration, and return how many.

    Without `filters` it is every device. Open the file with newline="".
    """
    return _write(database, file, filters, secrets=False)


def write_secrets(
    database: Database,
    file: TextIO,
    who: str,
    reason: str,
    filters: search.Filters | None = None,
) -> int:
    """The same with one more column, device_secret, empty before the first access.

    The audit says who did it and why. Raises PointctlError without a reason.
    """
    with database.exclusive() as session:
        audit.record_other(
            session.connection(),
            "registry",
            "secrets exported",
            who,
            audit.checked_reason(reason),
        )
    return _write(database, file, filters, secrets=True)


def _write(
    database: Database, file: TextIO, filters: search.Filters | None, *, secrets: bool
) -> int:
    columns = (*_COLUMNS, "device_secret") if secrets else _COLUMNS
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    count = 0
    with database.snapshot() as session:
        query = search.filtered(session, filters or search.Filters())
        query = query.order_by(Device.id).options(joinedload(Device.batch))
        found = session.scalars(query.execution_options(yield_per=_CHUNK))
        for devices in found.partitions():
            rows = search.with_tags(session, devices)
            if secrets:
                _add_secrets(database, session, devices, rows)
            for row in rows:
                writer.writerow({**row, "tags": " ".join(row["tags"])})
            count += len(rows)
    return count


def _add_secrets(
    database: Database, session: Session, devices: Any, rows: list[dict[str, Any]]
) -> None:
    query = select(Credential.device_id, Credential.encrypted_secret).where(
        Credential.device_id.in_([device.id for device in devices]),
        Credential.standing == CredentialSlot.CURRENT,
    )
    stored = dict(session.execute(query).all())
    for device, row in zip(devices, rows, strict=True):
        if text := stored.get(device.id):
            row["device_secret"] = database.vault.decrypt(text, of_device(device.id))
