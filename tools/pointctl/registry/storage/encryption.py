"""Bringing every secret of a database under one key.

The table database_keys has the ids of the keys in the order of their use; new secrets
go under the last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    ScalarSelect,
    Table,
    bindparam,
    func,
    insert,
    select,
    update,
)

from pointctl.registry.storage import vault
from pointctl.registry.storage.models import Credential, DatabaseKey, Pooled, Product
from pointctl.registry.storage.vault import Vault

_CHUNK = 500


def active() -> ScalarSelect[str]:
    """The id of the key that new secrets go under, as a part of a query."""
    query = select(DatabaseKey.key_id).order_by(DatabaseKey.id.desc()).limit(1)
    return query.scalar_subquery()


def active_key(connection: Connection) -> str:
    """The same, asked for by itself."""
    return str(connection.execute(select(active())).scalar_one())


def last_keys(connection: Connection) -> list[str]:
    """The ids of all keys that were ever in use, the last first."""
    query = select(DatabaseKey.key_id).order_by(DatabaseKey.id.desc())
    return list(connection.execute(query).scalars())


def use(connection: Connection, key_id: str) -> None:
    """New secrets go under this key from now on."""
    row = {"key_id": key_id, "created_at": datetime.now(UTC)}
    connection.execute(insert(DatabaseKey), row)


def is_prepared(connection: Connection) -> bool:
    """Whether there is a key in use, and so nothing in clear."""
    return connection.execute(select(active())).scalar() is not None


def prepare(connection: Connection, keys: Vault) -> bool:
    """Encrypt a registry that is not yet; whether there was anything in clear.

    It makes a key where there is none. Call it in a writing transaction.
    """
    if is_prepared(connection):
        return False
    keys.make_first()
    key_id = keys.newest()
    assert key_id is not None
    use(connection, key_id)
    changed = 0
    for kind in KINDS:
        after: Any = None
        while rows := kind.not_under(connection, None, after):
            after = rows[-1].row
            for row in rows:
                text = keys.encrypt(row.secret, key_id, kind.bound(row))
                changed += kind.replace(connection, row, text)
    return changed > 0


@dataclass(frozen=True)
class Kind:
    """A column of secrets, and what each of them is bound to."""

    table: Table
    name: str
    bound: Callable[[Any], bytes]

    def count_not_under(self, connection: Connection, key_id: str) -> int:
        """How many secrets are under other keys."""
        others = self.table.c[self.name].not_like(f"{key_id}.%")
        return connection.execute(select(func.count()).where(others)).scalar_one()

    def not_under(
        self, connection: Connection, key_id: str | None, after: Any
    ) -> list[Any]:
        """Some rows whose secret is not under this key, beyond the one of key `after`.

        Each has `row`, its primary key, `secret`, and the names it is bound by.
        """
        (first,) = self.table.primary_key.columns
        column = self.table.c[self.name]
        bound_by = ("product_key", "device_name", "device_id")
        names = [self.table.c[name] for name in bound_by if name in self.table.c]
        query = select(first.label("row"), column.label("secret"), *names)
        query = query.where(column.is_not(None)).order_by(first).limit(_CHUNK)
        if key_id is not None:
            query = query.where(column.not_like(f"{key_id}.%"))
        if after is not None:
            query = query.where(first > after)
        return list(connection.execute(query))

    def replace(self, connection: Connection, row: Any, text: str) -> int:
        """Put another text in the secret's place."""
        (first,) = self.table.primary_key.columns
        change = update(self.table).where(first == bindparam("row_"))
        change = change.values({self.name: bindparam("text")})
        values = {"row_": row.row, "text": text}
        return connection.execute(change, values).rowcount


def _table(model: type[Any]) -> Table:
    table: Table = model.__table__
    return table


KINDS = (
    Kind(
        _table(Product), "encrypted_secret", lambda r: vault.bind_product(r.product_key)
    ),
    Kind(
        _table(Credential), "encrypted_secret", lambda r: vault.bind_device(r.device_id)
    ),
    Kind(
        _table(Credential),
        "encrypted_product_secret",
        lambda r: vault.bind_device(r.device_id, vault.PRODUCT),
    ),
    Kind(
        _table(Pooled),
        "encrypted_secret",
        lambda r: vault.bind_pooled(r.product_key, r.device_name),
    ),
    Kind(
        _table(Pooled),
        "encrypted_product_secret",
        lambda r: vault.bind_pooled(r.product_key, r.device_name, vault.PRODUCT),
    ),
)
