"""Claim keys for boards: out of a file, or from the master of a registry."""

from dataclasses import dataclass, field
from pathlib import Path

from point import seal
from point.errors import PointError
from pointctl.boards.link import BoardError
from pointctl.boards.onboard import OnBoard
from pointctl.boards.plan import sha256
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.devices import devices, products
from pointctl.registry.keys import claim_keys
from pointctl.registry.opening import open_registry
from pointctl.registry.storage import keystore


@dataclass(frozen=True)
class FileKey:
    """One board's key, that somebody has derived for it."""

    key: bytes = field(repr=False)

    def of(self, board: OnBoard) -> bytes:
        """The 32 bytes."""
        return self.key


@dataclass(frozen=True)
class RegistryKey:
    """The key of whichever board it is, by the product and the board's IMEI."""

    data: Path
    product_key: str
    imei: str | None  # None: the board says it

    def of(self, board: OnBoard) -> bytes:
        """The 32 bytes. Raises PointctlError for an IMEI that is not registered."""
        imei = self.imei or _told(board)
        with open_registry(self.data) as database, database.snapshot() as session:
            devices.find(session, imei, self.product_key)
        return claim_keys.open_keys(DataFolder(self.data)).derive(
            self.product_key, imei
        )


ClaimKey = FileKey | RegistryKey


def of_file(path: Path) -> FileKey:
    """The key that `pointctl keys derive` has written into a file.

    Raises PointctlError for a file that others may read, or that holds no key.
    """
    if not path.is_file():
        raise PointctlError(f"{path} is missing; make it with pointctl keys derive")
    found = keystore.SecretEntry(path).read()
    try:
        return FileKey(seal.key_of(found.text.encode() if found else b""))
    except PointError:
        raise PointctlError(f"{path} is no claim key: 64 hex digits") from None


def of_registry(data: Path, product_key: str, imei: str | None) -> RegistryKey | None:
    """The keys of a product's boards; None where the data folder has no claim master.

    Raises PointctlError if the registry does not know the product, or gives its boards
    no keys.
    """
    if keystore.SecretEntry(DataFolder(data).claim_master).read() is None:
        return None
    with open_registry(data) as database:
        products.check_has_device_keys(database, product_key)
    return RegistryKey(data, product_key, imei)


def lacks(board: OnBoard, wanted: ClaimKey) -> bool:
    """Whether the board has yet to be given its key, as far as it can say."""
    try:
        return board.claim_key_hash() != sha256(wanted.of(board))
    except BoardError:
        return True  # no firmware yet that could say


def _told(board: OnBoard) -> str:
    try:
        return board.imei()
    except BoardError as error:
        raise BoardError(
            f"the board does not tell its IMEI ({error}): see that its modem has "
            "power, or give the one on its label with --imei"
        ) from error
