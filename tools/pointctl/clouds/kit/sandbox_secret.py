"""The secret of a sandbox: a file of the data folder, or an entry of the keyring.

All secrets of a sandbox come from this one: keys that it makes, and the key under which
it stores what it is told. So a sandbox needs nothing of the registry's: neither its
key, which guards the secrets of real devices, nor the folder's other files.
"""

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from point.digest import hmac_sha256
from pointctl.errors import PointctlError
from pointctl.registry.storage.keystore import SecretEntry, parse_hex_keys

_NONCE_BYTES = 12


class SandboxSecretError(PointctlError):
    """A stored secret cannot be read: it is under another secret of the sandbox."""


@dataclass(frozen=True)
class SandboxSecret:
    """32 bytes, and what is made of them."""

    secret: bytes = field(repr=False)

    def derive(self, text: str) -> bytes:
        """32 bytes that are always the same for this text."""
        made: bytes = hmac_sha256(self.secret, text.encode())
        return made

    def encrypt(self, text: str, bound_to: str) -> str:
        """A text for the database, by AES-256-GCM; it opens in no other row."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher().encrypt(nonce, text.encode(), bound_to.encode())
        return base64.b64encode(nonce + sealed).decode()

    def decrypt(self, stored: str, bound_to: str) -> str:
        """The text again. Raises SandboxSecretError."""
        try:
            data = base64.b64decode(stored, validate=True)
            nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            return self._cipher().decrypt(nonce, sealed, bound_to.encode()).decode()
        except (InvalidTag, ValueError):
            raise SandboxSecretError(
                f"the secret of {bound_to} is under another secret of the sandbox: "
                "put that one back, or delete the sandbox's database"
            ) from None

    def _cipher(self) -> AESGCM:
        return AESGCM(self.derive("stored secrets"))


def create_secret(entry: SecretEntry) -> bool:
    """Make a sandbox's secret; False if there is one already. Raises PointctlError."""
    return entry.read() is None and entry.create(secrets.token_hex(32) + "\n")


def open_secret(entry: SecretEntry) -> SandboxSecret:
    """Read a sandbox's secret. Raises PointctlError where there is none."""
    found = entry.read()
    keys = parse_hex_keys(found.text) if found else []
    if found is None:
        raise PointctlError(
            f"{entry.path} is missing: pointctl sandbox serve makes a secret; if there "
            "was one, put it back"
        )
    if len(keys) != 1:
        raise PointctlError(f"{found.where} is not a sandbox's secret: 64 hex digits")
    return SandboxSecret(keys[0])


def hash_token(token: str) -> str:
    """What a sandbox keeps of a token: enough to know it again.

    Tokens are random and long, so nobody finds one by trying.
    """
    return hashlib.sha256(token.encode()).hexdigest()
