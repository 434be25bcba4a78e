"""Import and export of devices as CSV files."""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from pointctl.errors import PointctlError
from pointctl.registry import audit
from pointctl.registry.devices import search
from pointctl.registry.devices.devices import BadRow, ImportRow, validate_row
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Credential, CredentialSlot, Device
from pointctl.registry.storage.vault import bind_device

ENCODING = "utf-8-sig"  # accepts the byte order mark that spreadsheets write
_COLUMNS = ("imei", "product_key", "device_name", "state", "batch", "tags", "issued_at")
_CHUNK = 1000

Cells = dict[str, str]  # by the names of the columns
_Read = TypeVar("_Read")


def read(file: TextIO) -> Iterator[ImportRow | BadRow]:
    """Read the rows of a CSV file with the columns imei, device_name and tags.

    Only imei is required. Tags are separated by blanks. The other columns of an export
    are ignored, and so are blank lines. Open the file with ENCODING; it is read line by
    line. Raises PointctlError if the file or its first line is invalid.
    """

    def row(number: int, cells: Cells) -> ImportRow | BadRow:
        name, tags = cells.get("device_name") or None, cells.get("tags", "").split()
        return validate_row(number, cells["imei"], name, tags)

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
            # A line is a row: our cells hold no line breaks. So a quote that is never
            # closed makes only its own line invalid.
            try:
                cells = _cells(line)
            except csv.Error as error:
                yield BadRow(number, f"the line is not valid CSV: {error}")
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
            f"line 1 must name the columns {', '.join(needed)}, each once; allowed are "
            f"also {', '.join(allowed)}"
        )
    return columns


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], strict=True), [])]


def write(
    database: Database, file: TextIO, filters: search.DeviceFilters | None = None
) -> int:
    """Write devices as CSV, in the order of registration, and return how many.

    Without `filters` it writes every device. Open the file with newline="".
    """
    return _write(database, file, filters, secrets=False)


def write_secrets(
    database: Database,
    file: TextIO,
    who: str,
    reason: str,
    filters: search.DeviceFilters | None = None,
) -> int:
    """Write devices as write() does, and the column device_secret.

    The secret is empty for a device that has no credential yet. The audit keeps who did
    it and why. Raises PointctlError without a reason.
    """
    with database.exclusive() as session:
        audit.record_other(
            session.connection(),
            "registry",
            "secrets exported",
            who,
            audit.check_reason(reason),
        )
    return _write(database, file, filters, secrets=True)


def _write(
    database: Database,
    file: TextIO,
    filters: search.DeviceFilters | None,
    *,
    secrets: bool,
) -> int:
    columns = (*_COLUMNS, "device_secret") if secrets else _COLUMNS
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    count = 0
    with database.snapshot() as session:
        query = search.select_devices(session, filters or search.DeviceFilters())
        query = query.order_by(Device.id).options(joinedload(Device.batch))
        found = session.scalars(query.execution_options(yield_per=_CHUNK))
        for chunk in found.partitions():
            rows = search.summarize(session, chunk)
            known = _read_secrets(database, session, chunk) if secrets else {}
            for device, row in zip(chunk, rows, strict=True):
                writer.writerow(
                    {
                        **row,
                        "tags": " ".join(row["tags"]),
                        "device_secret": known.get(device.id),
                    }
                )
            count += len(rows)
    return count


def _read_secrets(
    database: Database, session: Session, devices: Sequence[Device]
) -> dict[int, str]:
    """Return the current secrets of those devices that have one, by device id."""
    query = select(Credential.device_id, Credential.encrypted_secret).where(
        Credential.device_id.in_([device.id for device in devices]),
        Credential.standing == CredentialSlot.CURRENT,
    )
    return {
        device_id: database.vault.decrypt(text, bind_device(device_id))
        for device_id, text in session.execute(query)
        if text
    }
