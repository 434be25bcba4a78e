"""Find the claim key for a board: in a file, or by the claim master of a registry."""

from dataclasses import dataclass, field
from pathlib import Path

from point import seal
from point.errors import PointError
from pointctl.boards.link import BoardError
from pointctl.boards.plan import sha256
from pointctl.boards.remote_board import RemoteBoard
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage import keystore


@dataclass(frozen=True)
class FileKey:
    """The key of one board, derived before and read from a file."""

    key: bytes = field(repr=False)

    def key_for(self, board: RemoteBoard) -> bytes:
        """Return the 32 bytes."""
        return self.key


@dataclass(frozen=True)
class RegistryKey:
    """Keys of a product's boards, derived from the board's IMEI."""

    data: Path
    product_key: str
    imei: str | None  # None: ask the board

    def key_for(self, board: RemoteBoard) -> bytes:
        """Return the 32 bytes. Raises PointctlError for an unregistered IMEI."""
        # Imported here: a board can be deployed without the database's library.
        from pointctl.registry.devices import devices
        from pointctl.registry.opening import open_registry

        imei = self.imei or _ask_imei(board)
        with open_registry(self.data) as database, database.snapshot() as session:
            devices.find(session, imei, self.product_key)
        return claim_keys.open_keys(DataFolder(self.data)).derive(
            self.product_key, imei
        )


ClaimKey = FileKey | RegistryKey


def read_key_file(path: Path) -> FileKey:
    """Read the key that `pointctl keys derive` has written into a file.

    Raises PointctlError for a file that others may read, or without a key.
    """
    if not path.is_file():
        raise PointctlError(f"{path} is missing; make it with pointctl keys derive")
    found = keystore.SecretEntry(path).read()
    try:
        return FileKey(seal.key_of(found.text.encode() if found else b""))
    except PointError:
        raise PointctlError(
            f"{path} does not hold a claim key, which has 64 hex digits; make it with "
            "pointctl keys derive"
        ) from None


def registry_key(data: Path, product_key: str, imei: str | None) -> RegistryKey | None:
    """Return the keys of a product, None if the data folder has no claim master.

    Raises PointctlError for an unknown product, or one whose boards have no keys.
    """
    if keystore.SecretEntry(DataFolder(data).claim_master).read() is None:
        return None
    from pointctl.registry.devices import products
    from pointctl.registry.opening import open_registry

    with open_registry(data) as database:
        products.check_has_device_keys(database, product_key)
    return RegistryKey(data, product_key, imei)


def needs_key(board: RemoteBoard, wanted: ClaimKey) -> bool:
    """Whether the board does not hold this key yet, as far as it can say."""
    try:
        return board.claim_key_hash() != sha256(wanted.key_for(board))
    except BoardError:
        return True  # it has no firmware yet that could say


def _ask_imei(board: RemoteBoard) -> str:
    try:
        return board.imei()
    except BoardError as error:
        raise BoardError(
            f"the board cannot read its IMEI ({error}): check that its modem has "
            "power, or give the IMEI on its label with --imei"
        ) from error
