"""All tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def _bytewise(length: int) -> sa.String:
    """Text that sorts by its bytes on both databases."""
    on_postgresql = sa.String(length, collation="C")
    return sa.String(length).with_variant(on_postgresql, "postgresql")


def _create_index(table: str, *columns: str, where: str | None = None) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        f"ix_{table}_{'_'.join(columns)}",
        table,
        list(columns),
        sqlite_where=condition,
        postgresql_where=condition,
    )


def upgrade() -> None:
    """Make them, each after those that it refers to."""
    _create_products()
    _create_batches()
    _create_devices()
    _create_credentials()
    _create_pool()
    _create_claims()
    _create_audit()
    _create_operators()
    _create_tokens()
    _create_counters()


def _create_products() -> None:
    op.create_table(
        "products",
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("policy", sa.String(16), nullable=False),
        sa.Column("encrypted_secret", sa.String(512)),
        sa.Column("mqtt_host", sa.String(253), nullable=False),
        sa.Column("mqtt_port", sa.Integer),
        sa.Column("mqtt_ssl", sa.Boolean),
        sa.Column("mqtt_qos", sa.Integer, nullable=False),
        sa.Column("clean_session", sa.Boolean, nullable=False),
        sa.Column("keep_alive", sa.Integer),
        sa.Column("auth", sa.String(64)),
        sa.Column("sign_method", sa.String(64)),
        sa.Column("region", sa.String(64)),
        sa.Column("instance_id", sa.String(64)),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("pool_warn_below", sa.Integer, nullable=False),
        sa.Column("pool_alarm", sa.String(16)),
        sa.Column("open_batch", sa.String(64)),
        sa.Column("max_failures_per_s", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("product_key", name="pk_products"),
    )


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("quota", sa.Integer),
        sa.Column("expires_at", _MOMENT),
        sa.Column("enrolled", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.ForeignKeyConstraint(
            ["product_key"], ["products.product_key"], name="fk_batches_product_key"
        ),
        sa.UniqueConstraint("product_key", "name", name="uq_batches_product_key_name"),
    )


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("imei", _bytewise(15), nullable=False),
        sa.Column("device_name", _bytewise(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("batch_id", sa.Integer),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("created_by", sa.String(64)),
        sa.Column("import_id", sa.Integer),
        sa.Column("enrolled_at", _MOMENT),
        sa.Column("issued_at", _MOMENT),
        sa.Column("announced_at", _MOMENT),
        sa.Column("confirmed_at", _MOMENT),
        sa.Column("reopened_at", _MOMENT),
        sa.Column("busy_until", _MOMENT),
        sa.Column("doubts", sa.Integer, nullable=False),
        sa.Column("doubted_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.ForeignKeyConstraint(
            ["product_key"], ["products.product_key"], name="fk_devices_product_key"
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="fk_devices_batch_id"
        ),
        sa.UniqueConstraint("imei", "product_key", name="uq_devices_imei_product_key"),
        sa.UniqueConstraint(
            "product_key", "device_name", name="uq_devices_product_key_device_name"
        ),
    )
    _create_index("devices", "product_key", "id")
    _create_index("devices", "state", "id")
    _create_index("devices", "batch_id", "id")
    _create_index("devices", "device_name", "id")
    _create_index("devices", "enrolled_at")
    op.create_table(
        "device_tags",
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("tag", _bytewise(32), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "tag", name="pk_device_tags"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_device_tags_device_id"
        ),
    )
    _create_index("device_tags", "tag", "device_id")
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("into", sa.String(16), nullable=False),
        sa.Column("after_id", sa.Integer, nullable=False),
        sa.Column("begun_at", _MOMENT, nullable=False),
        sa.Column("alive_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
    )


def _create_credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("standing", sa.String(16)),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("encrypted_secret", sa.String(512)),
        sa.Column("encrypted_product_secret", sa.String(512)),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("retired_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_credentials_device_id"
        ),
        sa.UniqueConstraint(
            "device_id", "standing", name="uq_credentials_device_id_standing"
        ),
    )
    op.create_table(
        "database_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key_id", sa.String(8), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_database_keys"),
        sa.UniqueConstraint("key_id", name="uq_database_keys_key_id"),
    )


def _create_pool() -> None:
    op.create_table(
        "pool",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("device_name", _bytewise(64), nullable=False),
        sa.Column("encrypted_secret", sa.String(512)),
        sa.Column("encrypted_product_secret", sa.String(512)),
        sa.Column("device_id", sa.Integer),
        sa.Column("added_at", _MOMENT, nullable=False),
        sa.Column("taken_at", _MOMENT),
        sa.Column("import_id", sa.Integer),
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
    _create_index("pool", "product_key", "device_id", "id")
    # Whoever removes a device has to find the rows that refer to it.
    _create_index("pool", "device_id", where="device_id IS NOT NULL")


def _create_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("answered", sa.Integer, nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_claims_device_id"
        ),
        sa.UniqueConstraint(
            "device_id", "request_id", name="uq_claims_device_id_request_id"
        ),
    )


def _create_audit() -> None:
    """The audit; the database itself refuses every change of an entry."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer),
        sa.Column("subject", sa.String(100)),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("note", sa.String(200)),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_audit_device_id"
        ),
    )
    _create_index("audit", "device_id")
    people = sa.text("who <> 'server'")
    op.create_index(
        "ix_audit_people",
        "audit",
        ["who", "id"],
        sqlite_where=people,
        postgresql_where=people,
    )
    if op.get_bind().dialect.name == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'audit entries stay as they are'); END"
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                f"{refuse}"
            )
        # INSERT OR REPLACE deletes without asking the trigger for DELETE.
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
            f"WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) {refuse}"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit entries stay as they are'; END $$"
    )
    for change, each in (
        ("UPDATE", "ROW"),
        ("DELETE", "ROW"),
        ("TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
            f"FOR EACH {each} EXECUTE FUNCTION audit_stays()"
        )


def _create_operators() -> None:
    op.create_table(
        "operators",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("disabled_at", _MOMENT),
        sa.Column("seen_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_operators"),
        sa.UniqueConstraint("name", name="uq_operators_name"),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("cookie_hash", sa.String(64), nullable=False),
        sa.Column("operator_id", sa.Integer, nullable=False),
        sa.Column("csrf", sa.String(43), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("cookie_hash", name="pk_operator_sessions"),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name="fk_operator_sessions_operator_id",
        ),
    )
    _create_index("operator_sessions", "operator_id")


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("operator_id", sa.Integer, nullable=False),
        sa.Column("label", sa.String(32), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
        sa.Column("used_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name="fk_tokens_operator_id"
        ),
        sa.UniqueConstraint("token_hash", name="uq_tokens_token_hash"),
        sa.UniqueConstraint("operator_id", "label", name="uq_tokens_operator_id_label"),
    )


def _create_counters() -> None:
    """Failures that are limited, and refusals that are counted."""
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("free_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_rate_limits"),
    )
    _create_index("rate_limits", "free_at")
    op.create_table(
        "refusals",
        sa.Column("hour", _MOMENT, nullable=False),
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("code", sa.String(5), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("hour", "product_key", "code", name="pk_refusals"),
    )
