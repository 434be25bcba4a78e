"""Opening the registry of a data folder, or the one that the command line names."""

import os
import sys
from pathlib import Path

from pointctl.folder import DATABASE, DataFolder
from pointctl.registry.devices import import_steps
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.storage.vault import KEEP_IT


def registry_location(data: Path) -> Path | str:
    """Return the URL in POINTCTL_DATABASE, else the registry's file in `data`."""
    return os.environ.get(DATABASE) or DataFolder(data).registry


def open_registry(data: Path, *, make: bool = False) -> Database:
    """Open the registry, and undo interrupted imports. Close it after use.

    Only commands that may come first `make` one. Prints on stderr where it wrote a new
    database key. Raises PointctlError where there is no registry and none is to be
    made, DatabaseError, and Refused for one that a newer pointctl has written.
    """
    database = open_database(registry_location(data), DataFolder(data), make=make)
    try:
        import_steps.undo_interrupted(database)
    except BaseException:
        database.close()
        raise
    if database.vault.made_file:
        print(f"made {database.vault.made_file}: {KEEP_IT}", file=sys.stderr)
    return database
