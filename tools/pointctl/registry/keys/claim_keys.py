"""The claim master, and the claim keys that boards receive at the factory.

Each data folder has one master, 32 random bytes. Every board's key is derived from it
(point.seal.claim_key), so the registry stores no claim key. The master is in the file
claim-master, readable by its owner only, or in the system's keyring; never in the
registry, an argument or a log. If it is lost, every board needs a new key.
"""

import secrets
from dataclasses import dataclass, field

from point import seal
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.storage import keystore

KEEP_IT = "keep a copy in a safe place: every board's claim key is derived from it"


def create_master(folder: DataFolder, *, in_keyring: bool = False) -> bool:
    """Make the claim master; return False if there is one, and leave it as it is.

    Raises PointctlError for an existing master or a keyring that cannot be used.
    """
    if _read(folder) is not None:
        return False
    entry = keystore.SecretEntry(folder.claim_master)
    return entry.create(secrets.token_hex(32) + "\n", in_keyring=in_keyring)


@dataclass(frozen=True)
class ClaimKeys:
    """Derives the claim keys of boards from one master."""

    master: bytes = field(repr=False)

    def derive(self, product_key: str, imei: str) -> bytes:
        """Return the claim key of one board, 32 bytes."""
        return seal.claim_key(self.master, product_key, imei)


def open_keys(folder: DataFolder) -> ClaimKeys:
    """Return the keys of a data folder. Raises PointctlError if it has no master."""
    master = _read(folder)
    if master is None:
        raise PointctlError("there is no claim master; run pointctl keys init")
    return ClaimKeys(master)


def _read(folder: DataFolder) -> bytes | None:
    found = keystore.SecretEntry(folder.claim_master).read()
    if found is None:
        return None
    keys = keystore.parse_hex_keys(found.text)
    if len(keys) != 1:
        raise PointctlError(
            f"{found.where} does not hold a claim master: it must hold 64 hex digits; "
            "restore it from your copy"
        )
    return keys[0]
