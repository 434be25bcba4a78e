"""The Gizwits sandbox knows devices by their did."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_MOMENT = sa.DateTime(timezone=True)


def _bytewise(length: int) -> sa.types.TypeEngine[str]:
    collated = sa.String(length, collation="C")
    return sa.String(length).with_variant(collated, "postgresql")


def upgrade() -> None:
    """Nothing that is there changes."""
    key = sa.ForeignKey("products.product_key")
    op.create_table(
        "gizwits_dids",
        sa.Column("did", _bytewise(22), primary_key=True),
        sa.Column("product_key", sa.String(64), key, nullable=False),
        sa.Column("mac", _bytewise(32), nullable=False),
        sa.Column("generation", sa.String(8), nullable=False),
        sa.Column("passcode_hash", sa.String(64)),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("registered_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("product_key", "mac", "generation"),
    )
