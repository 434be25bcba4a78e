"""pointctl batches …"""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json, print_table
from pointctl.registry.devices import batches
from pointctl.registry.opening import open_registry

_Name = Annotated[str, typer.Argument(help="The batch's name.")]
_Product = Annotated[str, PRODUCT]
_Quota = Annotated[
    int | None, typer.Option("--quota", min=0, help="How many devices may enrol.")
]
_Expires = Annotated[
    datetime | None,
    typer.Option(
        "--expires",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        help="Until when devices may enrol, in UTC.",
    ),
]

app = typer.Typer(no_args_is_help=True, help="Batches: devices that are made together.")


@app.command(
    "add",
    epilog="Example: pointctl batches add A7 --product pk3f9a2c71 --quota 5000",
)
def batches_add(
    name: _Name,
    product: _Product,
    quota: _Quota = None,
    expires: _Expires = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add a batch to a product; devices import --batch uses it."""
    with open_registry(data) as database:
        made = batches.add(
            database,
            product,
            name,
            getpass.getuser(),
            quota=quota,
            expires_at=expires and expires.replace(tzinfo=UTC),
        )
    _print_result(made, f"added batch {name}", as_json)


@app.command("list", epilog="Example: pointctl batches list --product pk3f9a2c71")
def batches_list(
    product: Annotated[str | None, PRODUCT] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """List batches, newest first, with the number of enrolled devices."""
    with open_registry(data) as database:
        rows = batches.list_batches(database, product)
    if as_json:
        print_json(rows)
    else:
        columns = ("product_key", "name", "devices", "enrolled", "quota", "expires_at")
        print_table(rows, *columns, "open")


@app.command(
    "set", epilog="Example: pointctl batches set A7 --product pk3f9a2c71 --quota 6000"
)
def batches_set(
    name: _Name,
    product: _Product,
    quota: _Quota = None,
    no_quota: Annotated[
        bool, typer.Option("--no-quota", help="Remove the quota.")
    ] = False,
    expires: _Expires = None,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Remove the end.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Change the quota or the end. A quota below the enrolled devices closes it."""
    if quota is not None and no_quota:
        raise typer.BadParameter("give either --quota or --no-quota")
    if expires is not None and never_expires:
        raise typer.BadParameter("give either --expires or --never-expires")
    ends = expires and expires.replace(tzinfo=UTC)
    with open_registry(data) as database:
        changed = batches.change(
            database,
            product,
            name,
            getpass.getuser(),
            quota=quota if quota is not None or no_quota else batches.KEEP,
            expires_at=ends if ends is not None or never_expires else batches.KEEP,
        )
    _print_result(changed, f"changed batch {name}", as_json)


def _print_result(batch: batches.BatchSummary, text: str, as_json: bool) -> None:
    if as_json:
        print_json(batch)
    else:
        print(text)
