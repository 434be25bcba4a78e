"""Alembic runs this file; the caller hands in the connection (see ../schema.py)."""

from alembic import context

from pointctl.registry.storage.models import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata
)
with context.begin_transaction():
    context.run_migrations()
