"""pointctl batches …"""

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json, print_table
from pointctl.registry.devices import batches
from pointctl.registry.opening import open_registry

_Name = Annotated[str, typer.Argument(help="Its name.")]
_Product = Annotated[str, PRODUCT]
_Quota = Annotated[
    int | None, typer.Option("--quota", min=0, help="How many devices may enrol.")
]
_Expires = Annotated[
    datetime | None,
    typer.Option(
        "--expires",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        help="When the last may, in UTC.",
    ),
]

app = typer.Typer(no_args_is_help=True, help="Devices that are made together.")


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
    """Add a batch to a product, for devices import --batch."""
    with open_registry(data) as database:
        made = batches.add(
            database,
            product,
            name,
            getpass.getuser(),
            quota=quota,
            expires_at=expires and expires.replace(tzinfo=UTC),
        )
    _print(made, f"added batch {name}", as_json)


@app.command("list", epilog="Example: pointctl batches list --product pk3f9a2c71")
def batches_list(
    product: Annotated[str | None, PRODUCT] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """List batches, newest first, and how far they are."""
    with open_registry(data) as database:
        rows = batches.listed(database, product)
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
        bool, typer.Option("--no-quota", help="As many as there are.")
    ] = False,
    expires: _Expires = None,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Without an end.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Change the quota or the end of a batch. Below what has enrolled it is closed."""
    if (quota is not None and no_quota) or (expires is not None and never_expires):
        raise typer.BadParameter("either a limit or none")
    changes: dict[str, Any] = {}
    if quota is not None or no_quota:
        changes["quota"] = quota
    if expires is not None or never_expires:
        changes["expires_at"] = expires and expires.replace(tzinfo=UTC)
    with open_registry(data) as database:
        who = getpass.getuser()
        changed = batches.change(database, product, name, who, **changes)
    _print(changed, f"changed batch {name}", as_json)


def _print(batch: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(batch)
    else:
        print(text)
