"""What a product's boards need to know of Alibaba's cloud."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Products that are there keep connecting as they did."""
    for name in ("sign_method", "region", "instance_id"):
        op.add_column("products", sa.Column(name, sa.String(64)))
