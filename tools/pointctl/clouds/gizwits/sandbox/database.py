"""The one database of Gizwits' sandboxes."""

from contextlib import AbstractContextManager

# All modules with tables: a table that nobody imported would not be made.
from pointctl.clouds.gizwits.devices.sandbox import models as _devices  # noqa: F401
from pointctl.clouds.gizwits.preauth.sandbox.models import GizwitsTable
from pointctl.clouds.kit.database import SandboxDatabase, open_sandbox_database
from pointctl.folder import DataFolder


def open_database(
    folder: DataFolder, url: str | None = None, *, make: bool = True
) -> AbstractContextManager[SandboxDatabase]:
    """Open the database, a file of the data folder or the one of the URL.

    `make` it if it is missing. Raises as kit.database.open_sandbox_database().
    """
    where = url or folder.path / "gizwits-sandbox.sqlite"
    return open_sandbox_database("gizwits", GizwitsTable.metadata, where, make=make)
