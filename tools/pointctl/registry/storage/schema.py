"""Migrations: bringing a registry's tables up to date."""

from functools import cache
from importlib import resources

from sqlalchemy import Connection, Engine, column, inspect, select, table

from pointctl.errors import Refused

_VERSION = table("alembic_version", column("version_num"))


@cache
def head() -> str:
    """The revision that this pointctl works with: the last migration's."""
    folder = resources.files("pointctl.registry.storage") / "migrations/versions"
    names = [path.name for path in folder.iterdir() if path.name.endswith(".py")]
    return max(names).split("_")[0]


def revision(connection: Connection) -> str | None:
    """The revision of the tables; None where there are no tables yet."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.scalar(select(_VERSION.c.version_num))
    return found


def migrate(reading: Engine, writing: Engine, where: str) -> None:
    """Apply the migrations that the database lacks, all or none.

    Raises Refused where a newer pointctl has migrated it.
    """
    with reading.connect() as connection:
        current = revision(connection)
    if current == head():
        return
    # Only now: every command calls this function, and Alembic takes time to load.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "pointctl.registry.storage:migrations")
    steps = ScriptDirectory.from_config(config).walk_revisions()
    if current and current not in {step.revision for step in steps}:
        raise Refused(
            f"{where} has the revision {current}, which this pointctl does not know: a "
            "newer pointctl wrote it; update this one"
        )
    # The transaction is alone from its start, and Alembic reads the revision again in
    # it. So of two processes that start together, one migrates.
    with writing.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
