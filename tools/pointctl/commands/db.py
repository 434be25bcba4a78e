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
    """Bring the tables up to date, as every other command does when it comes first."""
    with existing_database(registry_location(data), DataFolder(data)) as database:
        before = maintenance.revision(database)
        database.migrate()
        after = maintenance.revision(database)
        where = database.where
    if as_json:
        print_json({"database": where, "before": before, "after": after})
    elif before == after:
        print(f"unchanged: {where} is of revision {after}")
    else:
        print(f"upgraded {where} from revision {before or 'none'} to {after}")


@app.command("check", epilog="Example: pointctl db check")
def db_check(data: Data = DATA, as_json: Json = False) -> None:
    """Look for damage: unreadable rows, orphans, contradictions, an old revision."""
    with existing_database(registry_location(data), DataFolder(data)) as database:
        faults = maintenance.check(database)
        found = {"database": database.where, "revision": maintenance.revision(database)}
    if as_json:
        print_json({**found, "faults": faults})
    else:
        print(*faults or [f"well: {found['database']}, {found['revision']}"], sep="\n")
    if faults:
        raise PointctlError(f"{len(faults)} faults; keep a copy before you repair it")


@app.command("backup", epilog="Example: pointctl db backup --out registry.backup")
def db_backup(
    out: Annotated[Path, typer.Option(help="File to write, readable by you only.")],
    data: Data = DATA,
) -> None:
    """Copy the registry while it is in use; the keys of its secrets are not in it."""
    with existing_database(registry_location(data), DataFolder(data)) as database:
        maintenance.backup(database, out)
    print(f"wrote {out}, {os.stat(out).st_size:,} bytes", file=sys.stderr)
