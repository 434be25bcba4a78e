"""The key that secrets are encrypted under, and where the database has secrets.

The table database_keys has the ids of the keys in the order of their use; new secrets
are encrypted under the last one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
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

# A row of Kind.not_under(): `row`, `secret`, and the names that the secret is bound to.
SecretRow = Row[*tuple[Any, ...]]


def active() -> ScalarSelect[str]:
    """The id of the key for new secrets, as a part of a query."""
    query = select(DatabaseKey.key_id).order_by(DatabaseKey.id.desc()).limit(1)
    return query.scalar_subquery()


def active_key(connection: Connection) -> str:
    """The id of the key for new secrets."""
    return str(connection.execute(select(active())).scalar_one())


def last_keys(connection: Connection) -> list[str]:
    """The ids of all keys that were ever in use, the newest first."""
    query = select(DatabaseKey.key_id).order_by(DatabaseKey.id.desc())
    return list(connection.execute(query).scalars())


def use(connection: Connection, key_id: str) -> None:
    """Encrypt new secrets under this key from now on."""
    row = {"key_id": key_id, "created_at": datetime.now(UTC)}
    connection.execute(insert(DatabaseKey), row)


def has_key(connection: Connection) -> bool:
    """Whether a key is in use: a registry has one before its first secret."""
    return connection.execute(select(active())).scalar() is not None


def choose_first_key(connection: Connection, keys: Vault) -> None:
    """Use the vault's newest key in a registry that has none; make one if need be.

    Call it in an exclusive transaction. Another process may have been faster.
    """
    if has_key(connection):
        return
    keys.make_first()
    key_id = keys.newest()
    assert key_id is not None
    use(connection, key_id)


@dataclass(frozen=True)
class Kind:
    """A column of secrets, and what each secret is bound to."""

    table: Table
    name: str
    bound: Callable[[SecretRow], bytes]

    def count_not_under(self, connection: Connection, key_id: str) -> int:
        """How many secrets are under other keys."""
        others = self.table.c[self.name].not_like(f"{key_id}.%")
        return connection.execute(select(func.count()).where(others)).scalar_one()

    def not_under(
        self, connection: Connection, key_id: str, after: int | str | None
    ) -> Sequence[SecretRow]:
        """Some rows whose secret is not under this key, by their primary keys.

        They begin beyond the primary key `after`. Each has its primary key as `row`.
        """
        (first,) = self.table.primary_key.columns
        column = self.table.c[self.name]
        bound_by = ("product_key", "device_name", "device_id")
        names = [self.table.c[name] for name in bound_by if name in self.table.c]
        query = select(first.label("row"), column.label("secret"), *names)
        query = query.where(column.is_not(None), column.not_like(f"{key_id}.%"))
        query = query.order_by(first).limit(_CHUNK)
        if after is not None:
            query = query.where(first > after)
        return connection.execute(query).all()

    def replace(self, connection: Connection, row: SecretRow, text: str) -> int:
        """Put another text in the secret's place; 1, or 0 if the row is gone."""
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
