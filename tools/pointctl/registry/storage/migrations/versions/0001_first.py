"""Products, devices and credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first three tables."""
    op.create_table(
        "products",
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("product_secret", sa.String(256)),
        sa.Column("mqtt_host", sa.String(253), nullable=False),
        sa.Column("mqtt_port", sa.Integer),
        sa.Column("mqtt_ssl", sa.Boolean),
        sa.Column("mqtt_qos", sa.Integer, nullable=False),
        sa.Column("clean_session", sa.Boolean, nullable=False),
        sa.Column("keep_alive", sa.Integer),
        sa.Column("auth", sa.String(64)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("product_key", name="pk_products"),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("product_key", sa.String(64), nullable=False),
        sa.Column("imei", sa.String(15), nullable=False),
        sa.Column("device_name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True)),
        sa.Column("announced_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.ForeignKeyConstraint(
            ["product_key"], ["products.product_key"], name="fk_devices_product_key"
        ),
        sa.UniqueConstraint("imei", "product_key", name="uq_devices_imei_product_key"),
        sa.UniqueConstraint(
            "product_key", "device_name", name="uq_devices_product_key_device_name"
        ),
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("device_secret", sa.String(256), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name="fk_credentials_device_id"
        ),
        sa.UniqueConstraint("device_id", name="uq_credentials_device_id"),
    )
