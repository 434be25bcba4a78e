"""The audit also tells of what is no device, and why something was done."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0004"


def upgrade() -> None:
    """SQLite copies the table, and its triggers have to be made again."""
    with op.batch_alter_table("audit") as audit:
        audit.alter_column("device_id", existing_type=sa.Integer, nullable=True)
        audit.add_column(sa.Column("subject", sa.String(100)))
        audit.add_column(sa.Column("note", sa.String(200)))
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit entries stay as they are'); END"
            )
