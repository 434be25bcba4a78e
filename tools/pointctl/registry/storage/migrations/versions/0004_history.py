"""Credentials with history and encrypted; pools, batches, tags, limits."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Devices keep their credentials, and are found by more than their IMEI.

    Secrets are encrypted after the last step, by encryption.prepare().
    """
    _grow_products()
    _add_batches()
    _grow_devices()
    _grow_credentials()
    _add_pool()
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("free_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_rate_limits"),
    )
    op.create_index("ix_rate_limits_free_at", "rate_limits", ["free_at"])
    op.create_table(
        "database_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key_id", sa.String(8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_database_keys"),
        sa.UniqueConstraint("key_id", name="uq_database_keys_key_id"),
    )


def _bytewise(length: int) -> sa.String:
    on_postgresql = sa.String(length, collation="C")
    return sa.String(length).with_variant(on_postgresql, "postgresql")


def _grow_products() -> None:
    for name, kind, default in (
        ("source", sa.String(16), "mint"),
        ("pool_warn_below", sa.Integer, "100"),
        ("max_failures_per_s", sa.Integer, "200"),
    ):
        column = sa.Column(name, kind, nullable=False, server_default=default)
        op.add_column("products", column)
    op.add_column("products", sa.Column("pool_alarm", sa.String(16)))
    op.add_column("products", sa.Column("open_batch", sa.String(64)))
    op.add_column("products", sa.Column("encrypted_secret", sa.String(512)))
    op.execute("UPDATE products SET encrypted_secret = product_secret")
    op.drop_column("products", "product_secret")


def _add_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("quota", sa.Integer),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("enrolled", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.ForeignKeyConstraint(
            ["product_key"], ["products.product_key"], name="fk_batches_product_key"
        ),
        sa.UniqueConstraint("product_key", "name", name="uq_batches_product_key_name"),
    )


def _grow_devices() -> None:
    # Both databases know this form. Copying the table, SQLite's other way, would break
    # the keys of those that refer to it.
    op.execute(
        "ALTER TABLE devices ADD COLUMN batch_id INTEGER "
        "CONSTRAINT fk_devices_batch_id REFERENCES batches (id)"
    )
    op.add_column("devices", sa.Column("created_by", sa.String(64)))
    op.add_column("devices", sa.Column("enrolled_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE devices SET enrolled_at = issued_at")
    if op.get_bind().dialect.name == "postgresql":
        for name, length in (("imei", 15), ("device_name", 64)):
            op.alter_column("devices", name, type_=sa.String(length, collation="C"))
    for columns in (
        ("product_key", "id"),
        ("state", "id"),
        ("batch_id", "id"),
        ("device_name", "id"),
        ("enrolled_at",),
    ):
        op.create_index(f"ix_devices_{'_'.join(columns)}", "devices", list(columns))
    op.create_table(
        "device_tags",
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("tag", _bytewise(32), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "tag", name="pk_device_tags"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_device_tags_device_id"
        ),
    )
    op.create_index("ix_device_tags_tag_device_id", "device_tags", ["tag", "device_id"])


def _grow_credentials() -> None:
    with op.batch_alter_table("credentials") as credentials:
        credentials.drop_constraint("uq_credentials_device_id", type_="unique")
        for name, kind in (
            ("standing", sa.String(16)),
            ("encrypted_secret", sa.String(512)),
            ("encrypted_product_secret", sa.String(512)),
            ("retired_at", sa.DateTime(timezone=True)),
        ):
            credentials.add_column(sa.Column(name, kind))
        credentials.add_column(
            sa.Column("source", sa.String(16), nullable=False, server_default="mint")
        )
        credentials.create_unique_constraint(
            "uq_credentials_device_id_standing", ["device_id", "standing"]
        )
    op.execute(
        "UPDATE credentials SET standing = 'current', encrypted_secret = device_secret"
    )
    op.drop_column("credentials", "device_secret")


def _add_pool() -> None:
    op.create_table(
        "pool",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("device_name", _bytewise(64), nullable=False),
        sa.Column("encrypted_secret", sa.String(512)),
        sa.Column("encrypted_product_secret", sa.String(512)),
        sa.Column("device_id", sa.Integer),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_pool"),
        sa.ForeignKeyConstraint(
            ["product_key"], ["products.product_key"], name="fk_pool_product_key"
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_pool_device_id"
        ),
        sa.UniqueConstraint(
            "product_key", "device_name", name="uq_pool_product_key_device_name"
        ),
    )
    op.create_index(
        "ix_pool_product_key_device_id_id", "pool", ["product_key", "device_id", "id"]
    )
