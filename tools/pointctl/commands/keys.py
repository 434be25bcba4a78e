"""pointctl keys …: the claim master, the boards' claim keys, the database's keys."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json
from pointctl.folder import DataFolder, private_file, private_folder
from pointctl.imeis import check_imei
from pointctl.registry.devices import products
from pointctl.registry.keys import claim_keys as keys
from pointctl.registry.keys import rotation
from pointctl.registry.opening import open_registry
from pointctl.registry.storage import vault
from pointctl.registry.storage.vault import Vault

app = typer.Typer(
    no_args_is_help=True, help="Keys: of boards, and of the database's secrets."
)


@app.command("init", epilog="Example: pointctl keys init")
def keys_init(
    in_keyring: Annotated[
        bool, typer.Option("--keyring", help="Use the system's keyring, not files.")
    ] = False,
    data: Data = DATA,
) -> None:
    """Make the claim master and the database's key. Existing keys do not change."""
    folder = DataFolder(data)
    kept = "the keyring's entry"
    if keys.create_master(folder, in_keyring=in_keyring):
        print(f"made {kept if in_keyring else folder.claim_master}: {keys.KEEP_IT}")
    else:
        print("unchanged: there is a claim master already")
    if Vault(folder).make_first(in_keyring=in_keyring):
        print(f"made {kept if in_keyring else folder.database_key}: {vault.KEEP_IT}")
    else:
        print("unchanged: there is a database key already")


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
    """Derive the claim keys that the factory puts into boards, 64 hex digits each."""
    if (out is None) == (not show):
        raise typer.BadParameter("give either --out DIR or --show")
    for each in imei:
        check_imei(each)
    with open_registry(data) as database:
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


@app.command("database", epilog="Example: pointctl keys database --json")
def keys_database(data: Data = DATA, as_json: Json = False) -> None:
    """Print the id of the key that encrypts the registry's secrets."""
    with open_registry(data) as database:
        found = rotation.read_status(database)
    if as_json:
        print_json(found)
        return
    where = "which is here" if found["present"] else "which is MISSING here"
    print(f"new secrets are encrypted under the key {found['key']}, {where}")
    if found["under_others"]:
        print(
            f"{found['under_others']} secrets are under other keys; run pointctl keys "
            "rotate-database"
        )


@app.command("rotate-database", epilog="Example: pointctl keys rotate-database")
def keys_rotate_database(data: Data = DATA, as_json: Json = False) -> None:
    """Encrypt the registry's secrets under a new key; boards are served meanwhile.

    It uses a key that you have put first by hand, else it makes one. It keeps the
    previous key until the next rotation.
    """
    with open_registry(data) as database:
        result = rotation.rotate(database, getpass.getuser())
    if as_json:
        print_json(result)
        return
    print(f"{result['changed']} secrets are now under the key {result['key']}")
    if result["dropped"]:
        print(f"dropped keys: {' '.join(result['dropped'])}")
