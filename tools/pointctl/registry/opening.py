"""Opening the registry of a data folder, or the one that the command line names."""

import os
import sys
from pathlib import Path

from pointctl.folder import DATABASE, DataFolder
from pointctl.registry.devices import import_steps
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.storage.vault import KEEP_IT


def registry_location(data: Path) -> Path | str:
    """Where the registry is: the URL in POINTCTL_DATABASE, else a file in `data`."""
    return os.environ.get(DATABASE) or DataFolder(data).registry


def open_registry(data: Path) -> Database:
    """Open the registry, and undo an import that broke off. Close it after use.

    Says on stderr where a new database key was written. Raises DatabaseError, and
    Refused where a newer pointctl has written the registry.
    """
    database = open_database(registry_location(data), DataFolder(data))
    try:
        import_steps.undo_broken_off(database)
    except BaseException:
        database.close()
        raise
    if database.vault.made:
        print(f"made {database.vault.made}: {KEEP_IT}", file=sys.stderr)
    return database
