"""Bringing a registry's tables up to date."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from pointctl.errors import Refused


def head() -> str:
    """The revision that this pointctl works with."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def revision(connection: Connection) -> str | None:
    """The revision of the tables; None where there are none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(reading: Engine, writing: Engine, where: str) -> None:
    """Apply the migrations that the database lacks, all or none.

    Raises Refused where a newer pointctl has been here.
    """
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    with reading.connect() as connection:
        current = revision(connection)
    if current == scripts.get_current_head():
        return
    if current and current not in {step.revision for step in scripts.walk_revisions()}:
        raise Refused(f"{where} was written by a newer pointctl; update this one")
    # The transaction is alone from its start, and Alembic reads the revision again in
    # it: of two processes that start together, one does the work.
    with writing.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "pointctl.registry:migrations")
    return config
