"""Policies, claims and the audit."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Products that are there keep serving boards as they did: they become open."""
    op.add_column(
        "products",
        sa.Column("policy", sa.String(16), nullable=False, server_default="open"),
    )
    for name in ("confirmed_at", "reopened_at", "busy_until", "doubted_at"):
        op.add_column("devices", sa.Column(name, sa.DateTime(timezone=True)))
    op.add_column(
        "devices", sa.Column("doubts", sa.Integer, nullable=False, server_default="0")
    )
    op.create_table(
        "claims",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("request_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("answered", sa.Integer, nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_claims_device_id"
        ),
        sa.UniqueConstraint(
            "device_id", "request_id", name="uq_claims_device_id_request_id"
        ),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_audit_device_id"
        ),
    )
    op.create_index("ix_audit_device_id", "audit", ["device_id"])
    _only_append_to("audit")


def _only_append_to(table: str) -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    why = f"{table} entries stay as they are"
    if not on_sqlite:
        op.execute(
            f"CREATE FUNCTION {table}_stays() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{why}'; END $$"
        )
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            + (
                f"BEGIN SELECT RAISE(ABORT, '{why}'); END"
                if on_sqlite
                else f"FOR EACH ROW EXECUTE FUNCTION {table}_stays()"
            )
        )
