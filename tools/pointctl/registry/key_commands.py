"""pointctl keys …: the claim master, and the keys that boards get at the factory."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from point import imei as imeis
from point.errors import PointError
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder, private_file, private_folder
from pointctl.options import DATA, Data, Json, print_json
from pointctl.registry import keys, products
from pointctl.registry.commands import PRODUCT, opened

app = typer.Typer(no_args_is_help=True, help="What boards prove themselves with.")


@app.command("init", epilog="Example: pointctl keys init")
def keys_init(
    in_keyring: Annotated[
        bool, typer.Option("--keyring", help="In the system's keyring, not a file.")
    ] = False,
    data: Data = DATA,
) -> None:
    """Make the claim master. One that is there stays as it is."""
    folder = DataFolder(data)
    if keys.create_master(folder, in_keyring=in_keyring):
        where = "the keyring's entry" if in_keyring else folder.claim_master
        print(f"made {where}: {keys.KEEP_IT}")
    else:
        print("unchanged: there is a claim master already")


@app.command(
    "derive",
    epilog="Example: pointctl keys derive --product pk3f9a2c71 "
    "--imei 866123456789018 --out keys",
)
def keys_derive(
    imei: Annotated[list[str], typer.Option(help="15 digits; repeatable.")],
    product: Annotated[str, PRODUCT],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for {imei}.key files, readable by you only."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the keys.")] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Derive claim keys for the factory to put into boards, 64 hex digits each."""
    if (out is None) == (not show):
        raise typer.BadParameter("keys go to --out DIR, or to stdout with --show")
    try:
        for each in imei:
            imeis.check(each)
    except PointError as error:
        raise PointctlError(f"{each}: {error.detail}") from error
    with opened(data) as database:
        products.check_has_device_keys(database, product)
    claim_keys = keys.open_keys(DataFolder(data))
    derived = {each: claim_keys.derive(product, each).hex() for each in imei}
    if out is None:
        if as_json:
            print_json([{"imei": i, "claim_key": key} for i, key in derived.items()])
        else:
            print(*(f"{i} {key}" for i, key in derived.items()), sep="\n")
        return
    private_folder(out)
    paths = {each: out / f"{each}.key" for each in derived}
    for each, path in paths.items():
        with private_file(path) as file:
            file.write(derived[each] + "\n")
    if as_json:
        print_json([{"imei": i, "file": str(path)} for i, path in paths.items()])
    else:
        print(f"wrote {len(paths)} keys to {out}", file=sys.stderr)
