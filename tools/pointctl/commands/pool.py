"""pointctl pool …"""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from pointctl.commands.devices import progress_of, report
from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json, print_table
from pointctl.errors import PointctlError
from pointctl.registry.devices import overview
from pointctl.registry.issuing import pool, pool_csv
from pointctl.registry.opening import open_registry

app = typer.Typer(no_args_is_help=True, help="Imported credentials, one a device.")


@app.command(
    "import",
    epilog="Example: pointctl pool import triples.csv --product a1B2c3D4e5F",
)
def pool_import(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="CSV: device_name, device_secret, product_secret.",
        ),
    ],
    product: Annotated[str, PRODUCT],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Fill a product's pool: with every row, or with none if one is bad."""
    with open_registry(data) as database, progress_of(file) as rows:
        result = pool.fill(
            database,
            product,
            pool_csv.read(rows, product),
            getpass.getuser(),
            dry_run=dry_run,
        )
    counts = {"added": result.added, "unchanged": result.unchanged}
    report(file, counts, result.bad_count, result.bad, as_json, dry_run)
    if result.bad_count:
        raise PointctlError(f"{result.bad_count} bad rows, so nothing was added")


@app.command("list", epilog="Example: pointctl pool list --json")
def pool_list(data: Data = DATA, as_json: Json = False) -> None:
    """List the pools, and how many credentials each has left."""
    with open_registry(data) as database:
        rows = overview.pools(database)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "product_key", "left", "taken", "low")
