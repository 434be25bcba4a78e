"""Encryption of the database's secrets, under keys that are not in the database.

It uses AES-256-GCM with a random nonce for each secret. The stored text is
`{key id}.{base64}`. It is bound to its row: moved to another row, it cannot be
decrypted. The keys are in the file database-key of the data folder, in
POINTCTL_DATABASE_KEY, or in the system's keyring: 64 hex digits each, the newest first.
The database names the key for new secrets (encryption.py), so that all processes agree.
A key's id is computed from the key.
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
KEEP_IT = (
    "keep a copy, but not with the backups: without it the secrets in them are lost"
)
_NONCE = 12


class VaultError(PointctlError):
    """A secret cannot be read or stored. The text names keys by their ids only."""


@dataclass(frozen=True)
class _Key:
    id: str
    key: bytes = field(repr=False)
    cipher: AESGCM = field(repr=False)


DEVICE, PRODUCT = "device secret", "product secret"


def bind_product(product_key: str) -> bytes:
    """Return the data that a product's secret is bound to."""
    return _join_names("product", product_key)


def bind_device(device_id: int, secret: str = DEVICE) -> bytes:
    """Return the data that a device's secret is bound to.

    A pool may give a device a product secret as well.
    """
    return _join_names("device", device_id, secret)


def bind_pooled(product_key: str, device_name: str, secret: str = DEVICE) -> bytes:
    """Return the data that a secret in a pool is bound to."""
    return _join_names("pool", product_key, device_name, secret)


def _join_names(*names: object) -> bytes:
    return "\0".join(map(str, names)).encode()


class Vault:
    """Encrypts and decrypts with the keys of one data folder. Threads may share it."""

    def __init__(self, folder: DataFolder) -> None:
        self._entry = keystore.SecretEntry(folder.database_key)
        self._key_ids: list[str] = []  # ids of the present keys, the newest first
        # Dropped keys stay here: a request may just have read a secret under one.
        self._keys: dict[str, _Key] = {}
        self.made_file: Path | None = None  # set if make_first() has made a key file

    def __repr__(self) -> str:
        return "Vault"

    def encrypt(self, secret: str, key_id: str, to: bytes) -> str:
        """Encrypt a secret under the key of this id, bound to a bind_…()'s data."""
        nonce = os.urandom(_NONCE)
        sealed = self._key(key_id).cipher.encrypt(nonce, secret.encode(), to)
        return f"{key_id}.{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str, to: bytes) -> str:
        """Decrypt a secret. Raises VaultError."""
        key_id, _, text = stored.partition(".")
        cipher = self._key(key_id).cipher
        try:
            sealed = base64.b64decode(text, validate=True)
            return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], to).decode()
        except (InvalidTag, ValueError):
            raise VaultError(
                f"a secret under the database key {key_id} was changed or moved to "
                "another row; restore it from a backup"
            ) from None

    def newest(self) -> str | None:
        """Return the id of the newest key. Raises VaultError, PointctlError."""
        self._load()
        return next(iter(self._key_ids), None)

    def has(self, key_id: str) -> bool:
        """Whether this key is present. Raises VaultError, PointctlError."""
        self._load()
        return key_id in self._key_ids

    def check(self, key_id: str) -> None:
        """Raise VaultError unless this key is present."""
        if not self.has(key_id):
            raise self._missing_key(key_id)

    def make_first(self, *, in_keyring: bool = False) -> bool:
        """Make a key; return False if there is one. Raises PointctlError.

        If another process makes one at the same time, that key is used.
        """
        if self.newest() is not None:
            return False
        text = secrets.token_hex(32) + "\n"
        if not self._entry.create(text, in_keyring=in_keyring):
            return False
        self.made_file = None if in_keyring else self._entry.path
        return True

    def add_key(self) -> str:
        """Make another key, put it first, and return its id.

        Raises VaultError if the keys are in the environment.
        """
        self._load()
        if VARIABLE in os.environ:
            raise VaultError(
                f"{VARIABLE} holds the keys: put a new key first there, 64 hex digits "
                "as from openssl rand -hex 32, and keep the others after it"
            )
        self._write([secrets.token_hex(32), *self._texts(self._key_ids)])
        made = self.newest()
        assert made is not None
        return made

    def drop_keys(self, kept: set[str]) -> list[str]:
        """Remove all keys but these from the file or keyring; return the removed ids.

        It removes none if the keys are in the environment.
        """
        self._load()
        gone = [key_id for key_id in self._key_ids if key_id not in kept]
        if not gone or VARIABLE in os.environ:
            return []
        self._write(self._texts([key_id for key_id in self._key_ids if key_id in kept]))
        return gone

    def _key(self, key_id: str) -> _Key:
        if key_id not in self._keys:
            self._load()
        if key_id not in self._keys:
            raise self._missing_key(key_id)
        return self._keys[key_id]

    def _missing_key(self, key_id: str) -> VaultError:
        return VaultError(
            f"the database is encrypted under the key {key_id}, which is neither "
            f"in {self._entry.path} nor in {VARIABLE} nor in the keyring; put it back "
            "from your copy"
        )

    def _texts(self, key_ids: list[str]) -> list[str]:
        return [self._keys[key_id].key.hex() for key_id in key_ids]

    def _write(self, texts: list[str]) -> None:
        self._entry.replace("\n".join(texts) + "\n")

    def _load(self) -> None:
        text, where = os.environ.get(VARIABLE), VARIABLE
        if text is None:
            found = self._entry.read()
            if found is None:
                self._key_ids = []
                return
            text, where = found.text, found.where
        keys = keystore.parse_hex_keys(text)
        if not keys:
            raise VaultError(
                f"{where} does not hold database keys: each must have 64 hex digits"
            )
        loaded = [_Key(_compute_id(key), key, AESGCM(key)) for key in keys]
        self._keys.update({key.id: key for key in loaded})
        self._key_ids = [key.id for key in loaded]


def _compute_id(key: bytes) -> str:
    """Return eight hex digits that identify the key and reveal nothing else of it."""
    return hashlib.sha256(b"pointctl database key" + key).hexdigest()[:8]
