"""The claim master, and the claim keys that boards are given at the factory.

One master for each data folder, 32 random bytes. Every board's key is derived from it
(point.seal.claim_key), so the registry stores no key at all. It lives in the file
claim-master, which nobody else may read, or in the system's keyring; never in the
registry, an argument or a log. Whoever loses it has to give every board a new key.
"""

import secrets
from dataclasses import dataclass, field

from point import seal
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.storage import keystore

KEEP_IT = "keep a copy in a safe place, every board's claim key comes from it"


def create_master(folder: DataFolder, *, in_keyring: bool = False) -> bool:
    """Make the claim master; False if there is one already, which stays as it is.

    Raises PointctlError for one that cannot be used, or a keyring that cannot.
    """
    if _read(folder) is not None:
        return False
    entry = keystore.Entry(folder.claim_master)
    return entry.create(secrets.token_hex(32) + "\n", in_keyring=in_keyring)


@dataclass(frozen=True)
class ClaimKeys:
    """Derives the claim keys of boards from one master."""

    master: bytes = field(repr=False)

    def derive(self, product_key: str, imei: str) -> bytes:
        """The claim key of one board, 32 bytes."""
        return seal.claim_key(self.master, product_key, imei)


def open_keys(folder: DataFolder) -> ClaimKeys:
    """The keys of a data folder. Raises PointctlError where it has no master."""
    master = _read(folder)
    if master is None:
        raise PointctlError("there is no claim master; run pointctl keys init")
    return ClaimKeys(master)


def _read(folder: DataFolder) -> bytes | None:
    found = keystore.Entry(folder.claim_master).read()
    if found is None:
        return None
    keys = keystore.hex_keys(found.text)
    if len(keys) != 1:
        raise PointctlError(f"{found.where} is no claim master: 64 hex digits")
    return keys[0]
