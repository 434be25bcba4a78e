"""Secrets as the database holds them: encrypted under a key that it does not hold.

AES-256-GCM, a random nonce each. What is stored is `{key id}.{base64}`, and it is bound
to its row: moved to another one it does not open. The keys are in the file database-key
of the data folder, in POINTCTL_DATABASE_KEY, or in the system's keyring: 64 hex digits
each, the newest first. Which of them new secrets are encrypted under, the database says
(encryption.py), so that all who share it agree. A key's id is computed from the key.
"""

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.storage import keystore

VARIABLE = "POINTCTL_DATABASE_KEY"
KEEP_IT = "keep a copy apart from the backups, without it their secrets are lost"
_NONCE = 12


class VaultError(PointctlError):
    """A secret cannot be read or kept. The text names keys by their ids only."""


@dataclass(frozen=True)
class _Key:
    id: str
    key: bytes = field(repr=False)
    cipher: AESGCM = field(repr=False)


DEVICE, PRODUCT = "device secret", "product secret"


def of_product(product_key: str) -> bytes:
    """What the secret of a product is bound to."""
    return _bound("product", product_key)


def of_device(device_id: int, secret: str = DEVICE) -> bytes:
    """What a secret of a device is bound to; a pool may give it a product secret."""
    return _bound("device", device_id, secret)


def of_pooled(product_key: str, device_name: str, secret: str = DEVICE) -> bytes:
    """What a secret in a pool is bound to."""
    return _bound("pool", product_key, device_name, secret)


def _bound(*names: object) -> bytes:
    return "\0".join(map(str, names)).encode()


class Vault:
    """Encrypts and decrypts with the keys of one data folder. Threads may share it."""

    def __init__(self, folder: DataFolder) -> None:
        self._entry = keystore.Entry(folder.database_key)
        self._kept: list[str] = []  # ids of the keys that there are, the newest first
        # Also those that are gone since: what a request has read may be under one.
        self._seen: dict[str, _Key] = {}
        self.made: Path | None = None  # the file of a key that had to be made

    def __repr__(self) -> str:
        return "Vault"

    def encrypt(self, secret: str, key_id: str, to: bytes) -> str:
        """The secret under the key of this id, bound to what of_…() say."""
        nonce = os.urandom(_NONCE)
        sealed = self._key(key_id).cipher.encrypt(nonce, secret.encode(), to)
        return f"{key_id}.{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str, to: bytes) -> str:
        """The secret again. Raises VaultError."""
        key_id, _, text = stored.partition(".")
        cipher = self._key(key_id).cipher
        try:
            sealed = base64.b64decode(text, validate=True)
            return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], to).decode()
        except (InvalidTag, ValueError):
            raise VaultError(
                f"a secret under the database key {key_id} was changed or moved"
            ) from None

    def newest(self) -> str | None:
        """The id of the first key there is. Raises VaultError, PointctlError."""
        self._load()
        return next(iter(self._kept), None)

    def has(self, key_id: str) -> bool:
        """Whether this key is there. Raises VaultError, PointctlError."""
        self._load()
        return key_id in self._kept

    def check(self, key_id: str) -> None:
        """Raise VaultError unless this key is there."""
        if not self.has(key_id):
            raise self._lacking(key_id)

    def make_first(self, *, in_keyring: bool = False) -> bool:
        """Make a key where there is none; False if there is one. Raises PointctlError.

        If another process is faster, it is its key.
        """
        if self.newest() is not None:
            return False
        text = secrets.token_hex(32) + "\n"
        if not self._entry.create(text, in_keyring=in_keyring):
            return False
        self.made = None if in_keyring else self._entry.path
        return True

    def add_key(self) -> str:
        """Make another key beside those there are, put it first, and return its id.

        Raises VaultError where they are given in the environment.
        """
        self._load()
        if VARIABLE in os.environ:
            raise VaultError(
                f"{VARIABLE} holds the keys: put a new one first there, 64 hex digits "
                "as of openssl rand -hex 32, and keep the others behind it"
            )
        self._write([secrets.token_hex(32), *self._texts(self._kept)])
        made = self.newest()
        assert made is not None
        return made

    def drop_keys(self, kept: set[str]) -> list[str]:
        """Remove every key but these where they are kept; the ids of those removed."""
        self._load()
        gone = [key_id for key_id in self._kept if key_id not in kept]
        if not gone or VARIABLE in os.environ:
            return []
        self._write(self._texts([key_id for key_id in self._kept if key_id in kept]))
        return gone

    def _key(self, key_id: str) -> _Key:
        if key_id not in self._seen:
            self._load()
        if key_id not in self._seen:
            raise self._lacking(key_id)
        return self._seen[key_id]

    def _lacking(self, key_id: str) -> VaultError:
        return VaultError(
            f"the database is encrypted under the key {key_id}, which is neither "
            f"in {self._entry.path} nor in {VARIABLE} nor in the keyring"
        )

    def _texts(self, key_ids: list[str]) -> list[str]:
        return [self._seen[key_id].key.hex() for key_id in key_ids]

    def _write(self, texts: list[str]) -> None:
        self._entry.replace("\n".join(texts) + "\n")

    def _load(self) -> None:
        text, where = os.environ.get(VARIABLE), VARIABLE
        if text is None:
            found = self._entry.read()
            if found is None:
                self._kept = []
                return
            text, where = found.text, found.where
        keys = keystore.hex_keys(text)
        if not keys:
            raise VaultError(f"{where} holds no database keys: 64 hex digits each")
        loaded = [_Key(_id(key), key, AESGCM(key)) for key in keys]
        self._seen.update({key.id: key for key in loaded})
        self._kept = [key.id for key in loaded]


def _id(key: bytes) -> str:
    """Eight hex digits that say nothing of the key but that it is this one."""
    return hashlib.sha256(b"pointctl database key" + key).hexdigest()[:8]
