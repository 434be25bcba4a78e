"""The credentials of a pool, read from a CSV file."""

from collections.abc import Iterator
from typing import TextIO

from point import credentials
from point.errors import PointError
from pointctl.registry.devices import device_csv
from pointctl.registry.devices.staging import BadRow
from pointctl.registry.issuing.pool import PoolEntry


def read(file: TextIO, product_key: str) -> Iterator[PoolEntry | BadRow]:
    """Read the columns device_name, device_secret, and product_secret.

    The last need not be there. The names may be written as Alibaba does, DeviceName;
    a column product_key has to hold this product's in each row. Otherwise as
    device_csv.read().
    """

    def entry(line: int, cells: device_csv.Cells) -> PoolEntry | BadRow:
        given = cells.get("product_key", product_key)
        if given != product_key:
            return BadRow(line, f"the product key {given} is not {product_key}")
        of_device = cells["device_name"], cells["device_secret"]
        return check_entry(line, *of_device, cells.get("product_secret") or None)

    needed = ("device_name", "device_secret")
    return device_csv.read_rows(file, needed, ("product_key", "product_secret"), entry)


def check_entry(
    line: int, device_name: str, device_secret: str, product_secret: str | None
) -> PoolEntry | BadRow:
    """An entry by the rules that boards keep; the reason quotes no secret."""
    try:
        credentials.word("the device name", device_name)
        credentials.text("the device secret", device_secret)
        if product_secret is not None:
            credentials.text("the product secret", product_secret)
    except PointError as error:
        return BadRow(line, error.detail)
    return PoolEntry(line, device_name, device_secret, product_secret)
