"""pointctl db …: the registry's database."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointctl.commands.options import DATA, Data, Json, print_json
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.opening import registry_location
from pointctl.registry.storage import maintenance
from pointctl.registry.storage.database import existing_database

app = typer.Typer(no_args_is_help=True, help="The registry's database.")


@app.command("upgrade", epilog="Example: pointctl db upgrade")
def db_upgrade(data: Data = DATA, as_json: Json = False) -> None:
    """Migrate the tables to this version. Other commands do it as well, if needed."""
    with existing_database(registry_location(data), DataFolder(data)) as database:
        before = maintenance.read_revision(database)
        database.migrate()
        after = maintenance.read_revision(database)
        where = database.where
    if as_json:
        print_json({"database": where, "before": before, "after": after})
    elif before == after:
        print(f"unchanged: {where} has revision {after} already")
    else:
        print(f"upgraded {where} from revision {before or 'none'} to {after}")


@app.command("check", epilog="Example: pointctl db check")
def db_check(data: Data = DATA, as_json: Json = False) -> None:
    """Look for faults: unreadable rows, orphans, contradictions, an old revision."""
    with existing_database(registry_location(data), DataFolder(data)) as database:
        faults = maintenance.find_faults(database)
        found = {
            "database": database.where,
            "revision": maintenance.read_revision(database),
        }
    if as_json:
        print_json({**found, "faults": faults})
    else:
        healthy = f"no faults: {found['database']}, revision {found['revision']}"
        print(*faults or [healthy], sep="\n")
    if faults:
        raise PointctlError(
            f"the registry has {len(faults)} faults; make a copy before you repair it"
        )


@app.command("backup", epilog="Example: pointctl db backup --out registry.backup")
def db_backup(
    out: Annotated[Path, typer.Option(help="File to write, readable by you only.")],
    data: Data = DATA,
) -> None:
    """Copy the registry while it is in use. The copy does not contain the keys."""
    with existing_database(registry_location(data), DataFolder(data)) as database:
        maintenance.back_up(database, out)
    print(f"wrote {out}, {os.stat(out).st_size:,} bytes", file=sys.stderr)
