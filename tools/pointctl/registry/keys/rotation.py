"""The keys that the database's secrets are encrypted under: rotating them.

A key is in the vault before the database says that it is in use, and is dropped from it
one rotation after its last use: so old backups of yesterday still open.
"""

from typing import Any

from pointctl.errors import Refused
from pointctl.registry import audit
from pointctl.registry.storage import encryption
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.encryption import KINDS, Kind


def rotate(database: Database, who: str) -> dict[str, Any]:
    """Bring every secret under a new key; what became of the keys, by their ids.

    A key that somebody has put first in the vault is the new one, else one is made.
    Boards are served meanwhile. Broken off, it goes on when it is called again. Raises
    VaultError, Refused.
    """
    keys = database.vault
    was = status(database)
    keys.check(was["key"])
    new = keys.newest() or was["key"]
    if new == was["key"] and not was["under_others"]:
        new = keys.add_key()
    if new != was["key"]:
        _use(database, new, who)
    changed = sum(_bring_under(database, kind, new) for kind in KINDS)
    dropped = keys.drop_keys(kept=set(_last(database, 2)))
    return {"key": new, "changed": changed, "dropped": dropped}


def status(database: Database) -> dict[str, Any]:
    """The key in use, whether it is there, and how many secrets are under others."""
    with database.snapshot() as session:
        connection = session.connection()
        key_id = encryption.active_key(connection)
        under_others = sum(k.count_not_under(connection, key_id) for k in KINDS)
    present = database.vault.has(key_id)
    return {"key": key_id, "present": present, "under_others": under_others}


def _use(database: Database, key_id: str, who: str) -> None:
    with database.exclusive() as session:
        connection = session.connection()
        if key_id in encryption.last_keys(connection):
            raise Refused(f"the key {key_id} was in use before; put a new one first")
        encryption.use(connection, key_id)
        audit.record_other(connection, f"database key {key_id}", "key in use", who)


def _bring_under(database: Database, kind: Kind, key_id: str) -> int:
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


def _last(database: Database, number: int) -> list[str]:
    with database.snapshot() as session:
        return encryption.last_keys(session.connection())[:number]
