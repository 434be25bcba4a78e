"""Tables of the Gizwits sandbox: Authorizations, packages, devices, batches."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_MOMENT = sa.DateTime(timezone=True)
_BYTEWISE = sa.String(15).with_variant(sa.String(15, collation="C"), "postgresql")


def _product() -> sa.Column[str]:
    key = sa.ForeignKey("products.product_key")
    return sa.Column("product_key", sa.String(64), key, nullable=False)


def upgrade() -> None:
    """Nothing that is there changes."""
    op.create_table(
        "gizwits_tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("label", sa.String(32), nullable=False, unique=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("pin", sa.String(32)),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
    )
    op.create_table(
        "gizwits_packages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pin", sa.String(32), nullable=False),
        sa.Column("auth_code_hash", sa.String(64), nullable=False),
        _product(),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
    )
    op.create_index(
        "ix_gizwits_packages_pin_auth_code_hash",
        "gizwits_packages",
        ["pin", "auth_code_hash"],
    )
    op.create_table(
        "gizwits_devices",
        sa.Column("id", sa.Integer, primary_key=True),
        _product(),
        sa.Column("mac", _BYTEWISE, nullable=False),
        sa.Column(
            "package_id",
            sa.Integer,
            sa.ForeignKey("gizwits_packages.id"),
            nullable=False,
            index=True,
        ),
        sa.Column("key_check", sa.String(16), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("product_key", "mac"),
    )
    op.create_table(
        "gizwits_batches",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("pin", sa.String(32), nullable=False),
        sa.Column("auth_code_hash", sa.String(64), nullable=False),
        _product(),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("success", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False, index=True),
        sa.Column("finished_at", _MOMENT),
    )
    op.create_table(
        "gizwits_batch_rows",
        sa.Column(
            "batch_id",
            sa.String(32),
            sa.ForeignKey("gizwits_batches.id"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("mac", sa.String(32), nullable=False),
        sa.Column("bare", _BYTEWISE, nullable=False),
        sa.Column("outcome", sa.Integer),
    )
    op.create_index(
        "ix_gizwits_batch_rows_bare_outcome",
        "gizwits_batch_rows",
        ["bare", "outcome"],
    )
