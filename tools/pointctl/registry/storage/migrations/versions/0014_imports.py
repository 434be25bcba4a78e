"""Large imports are added in steps, and nobody sees them before the last."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    """What is there was added at once."""
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("into", sa.String(16), nullable=False),
        sa.Column("after_id", sa.Integer, nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alive_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
    )
    op.add_column("devices", sa.Column("import_id", sa.Integer))
    op.add_column("pool", sa.Column("import_id", sa.Integer))
    # Who removes a device has to find what refers to it.
    taken = sa.text("device_id IS NOT NULL")
    op.create_index(
        "ix_pool_device_id",
        "pool",
        ["device_id"],
        sqlite_where=taken,
        postgresql_where=taken,
    )
