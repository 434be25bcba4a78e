"""Rotation of the keys that encrypt the database's secrets.

A key is in the vault before the database names it as the key in use. It is dropped from
the vault one rotation after its last use, so that recent backups can still be read.
"""

from typing import TypedDict

from pointctl.errors import Refused
from pointctl.registry import audit
from pointctl.registry.storage import encryption
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.encryption import KINDS, Kind


class RotationResult(TypedDict):
    """The key now in use, how many secrets changed, and the ids of dropped keys."""

    key: str
    changed: int
    dropped: list[str]


class KeyStatus(TypedDict):
    """The id of the key in use, whether it is in the vault, secrets not under it."""

    key: str
    present: bool
    under_others: int


def rotate(database: Database, who: str) -> RotationResult:
    """Encrypt every secret under a new key.

    If somebody has put a key first in the vault, that is the new key; else it makes
    one. Boards are served meanwhile. If it is interrupted, the next call continues.
    Raises VaultError, Refused.
    """
    keys = database.vault
    was = read_status(database)
    keys.check(was["key"])
    new = keys.newest() or was["key"]
    if new == was["key"] and not was["under_others"]:
        new = keys.add_key()
    if new != was["key"]:
        _start_using(database, new, who)
    changed = sum(_reencrypt(database, kind, new) for kind in KINDS)
    dropped = keys.drop_keys(kept=set(_last_keys(database, 2)))
    return {"key": new, "changed": changed, "dropped": dropped}


def read_status(database: Database) -> KeyStatus:
    """Return which key is in use, and how many secrets are under other keys."""
    with database.snapshot() as session:
        connection = session.connection()
        key_id = encryption.active_key(connection)
        under_others = sum(k.count_not_under(connection, key_id) for k in KINDS)
    present = database.vault.has(key_id)
    return {"key": key_id, "present": present, "under_others": under_others}


def _start_using(database: Database, key_id: str, who: str) -> None:
    with database.exclusive() as session:
        connection = session.connection()
        if key_id in encryption.last_keys(connection):
            raise Refused(
                f"the key {key_id} was in use before; put a new key first in its place"
            )
        encryption.use(connection, key_id)
        audit.record_other(connection, f"database key {key_id}", "key in use", who)


def _reencrypt(database: Database, kind: Kind, key_id: str) -> int:
    keys = database.vault
    changed, after = 0, None
    while True:
        with database.exclusive() as session:
            connection = session.connection()
            rows = kind.not_under(connection, key_id, after)
            for row in rows:
                clear = keys.decrypt(row.secret, kind.bound(row))
                text = keys.encrypt(clear, key_id, kind.bound(row))
                changed += kind.replace(connection, row, text)
        if not rows:
            return changed
        after = rows[-1].row


def _last_keys(database: Database, number: int) -> list[str]:
    with database.snapshot() as session:
        return encryption.last_keys(session.connection())[:number]
