"""What the sandbox makes auth_keys from. None is stored: each can be made again.

Keys of the cloud look random, as the real one's do (UUID 4), and come from one secret
of the data folder, the file gizwits-sandbox-key or the keyring. Keys that devices make
come from the algorithm that the sandbox was started with; without one there are none.
"""

import hashlib
import secrets
import uuid
from dataclasses import dataclass, field

from point.digest import hmac_sha256
from pointctl.clouds.gizwits.preauth.algorithms import Algorithm
from pointctl.clouds.gizwits.preauth.errors import ModeInvalid
from pointctl.clouds.gizwits.preauth.sandbox.models import Mode
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.storage.keystore import SecretEntry, parse_hex_keys

KEEP_IT = "keep a copy, the auth_keys of the sandbox come from it"


def entry(folder: DataFolder) -> SecretEntry:
    """Where the secret is."""
    return SecretEntry(folder.path / "gizwits-sandbox-key")


def create_secret(folder: DataFolder) -> bool:
    """Make the secret; False if there is one already. Raises PointctlError."""
    found = entry(folder)
    return found.read() is None and found.create(secrets.token_hex(32) + "\n")


@dataclass(frozen=True)
class KeyMaker:
    """Makes the key of a device, the same one each time."""

    secret: bytes = field(repr=False)
    algorithm: Algorithm | None

    def make(
        self, mode: str, product_key: str, product_secret: str | None, mac: str
    ) -> str:
        """32 lower-case hex digits. Raises ModeInvalid where nobody can make it."""
        if mode == Mode.CLOUD:
            text = f"gizwits-sandbox,{product_key},{mac}".encode()
            digest = hmac_sha256(self.secret, text)
            return uuid.UUID(bytes=digest[:16], version=4).hex
        if self.algorithm is None:
            raise ModeInvalid("the sandbox was started without an algorithm")
        if product_secret is None:
            raise ModeInvalid("the product has no secret")
        return self.algorithm(product_secret, product_key, mac)


def open_maker(folder: DataFolder, algorithm: Algorithm | None) -> KeyMaker:
    """The maker of a data folder. Raises PointctlError where it has no secret."""
    found = entry(folder).read()
    kept = parse_hex_keys(found.text) if found else []
    if found is None or len(kept) != 1:
        where = found.where if found else str(entry(folder).path)
        raise PointctlError(f"{where} is no secret of a sandbox: 64 hex digits")
    return KeyMaker(kept[0], algorithm)


def check_of(auth_key: str) -> str:
    """What is kept of a key, so that another in its place is noticed."""
    return hashlib.sha256(b"gizwits-sandbox" + auth_key.encode()).hexdigest()[:16]
