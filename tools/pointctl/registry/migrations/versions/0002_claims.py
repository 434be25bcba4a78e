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
    if op.get_bind().dialect.name == "sqlite":  # elsewhere it is a matter of GRANT
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'audit entries stay as they are'); END"
            )
