"""What the sandbox makes auth_keys from. None is stored: each can be made again.

Keys of the cloud look random, as the real one's do (UUID 4), and come from the
sandbox's secret: the file gizwits-sandbox-key of the data folder, or the keyring. Keys
that devices make come from the algorithm that the sandbox was started with; without one
there are none.
"""

import hashlib
import uuid
from dataclasses import dataclass

from pointctl.clouds.gizwits.preauth.algorithms import Algorithm
from pointctl.clouds.gizwits.preauth.errors import ModeInvalid
from pointctl.clouds.gizwits.preauth.sandbox.models import KeyMode, SandboxProduct
from pointctl.clouds.kit import sandbox_secret
from pointctl.clouds.kit.sandbox_secret import SandboxSecret
from pointctl.folder import DataFolder
from pointctl.registry.storage.keystore import SecretEntry

KEEP_IT = "keep a copy: without it the sandbox's auth_keys cannot be made again"


def secret_entry(folder: DataFolder) -> SecretEntry:
    """Where the secret is."""
    return SecretEntry(folder.path / "gizwits-sandbox-key")


def create_secret(folder: DataFolder) -> bool:
    """Make the secret; False if there is one already. Raises PointctlError."""
    return sandbox_secret.create_secret(secret_entry(folder))


@dataclass(frozen=True)
class KeyMaker:
    """Makes the key of a device, the same one each time."""

    secret: SandboxSecret
    algorithm: Algorithm | None = None

    def make(self, mode: str, product: SandboxProduct, mac: str) -> str:
        """32 lower-case hex digits.

        Raises ModeInvalid where nobody can make it, SandboxSecretError.
        """
        if mode == KeyMode.CLOUD:
            text = f"gizwits-sandbox,{product.product_key},{mac}"
            return uuid.UUID(bytes=self.secret.derive(text)[:16], version=4).hex
        if self.algorithm is None:
            raise ModeInvalid("the sandbox was started without an algorithm")
        product_secret = self.product_secret(product)
        if product_secret is None:
            raise ModeInvalid("the product has no secret")
        return self.algorithm(product_secret, product.product_key, mac)

    def product_secret(self, product: SandboxProduct) -> str | None:
        """The secret of a product; None if it has none. Raises SandboxSecretError."""
        if product.encrypted_secret is None:
            return None
        return self.secret.decrypt(product.encrypted_secret, product.product_key)


def open_maker(folder: DataFolder, algorithm: Algorithm | None) -> KeyMaker:
    """The maker of a data folder. Raises PointctlError where it has no secret."""
    return KeyMaker(sandbox_secret.open_secret(secret_entry(folder)), algorithm)


def hash_key(auth_key: str) -> str:
    """A part of a key's hash, by which another key in its place is noticed."""
    return hashlib.sha256(b"gizwits-sandbox" + auth_key.encode()).hexdigest()[:16]
