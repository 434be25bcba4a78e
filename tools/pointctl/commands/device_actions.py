"""pointctl devices …: what is done to one device, and what it is tagged."""

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from pointctl.broker.accounts import open_accounts
from pointctl.commands.broker_options import (
    Mosquitto,
    MosquittoCa,
    MosquittoLogin,
    mosquitto_admin,
)
from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json, print_table
from pointctl.folder import private_file
from pointctl.registry.devices import batches, search, tags
from pointctl.registry.issuing import lifecycle
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.database import Database

_Imei = Annotated[str, typer.Argument(help="15 digits.")]
_Product = Annotated[str | None, PRODUCT]
_Reason = Annotated[
    str | None, typer.Option("--reason", help="Why; the audit keeps it.")
]

app = typer.Typer()


@app.command("revoke", epilog="Example: pointctl devices revoke 866123456789018")
def devices_revoke(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    mosquitto: Mosquitto = None,
    mosquitto_login: MosquittoLogin = None,
    mosquitto_ca: MosquittoCa = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Give a device nothing more, and let it in at the broker no more."""
    with (
        open_accounts(
            mosquitto_admin(mosquitto, mosquitto_login, mosquitto_ca)
        ) as accounts,
        open_registry(data) as database,
    ):
        who = getpass.getuser()
        lifecycle.revoke(database, imei, product, who, accounts, reason=reason)
        _print(database, imei, product, f"revoked {imei}", as_json)


@app.command("restore", epilog="Example: pointctl devices restore 866123456789018")
def devices_restore(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """After a revocation: let a device claim again, and give it a new secret."""
    with open_registry(data) as database:
        lifecycle.restore(database, imei, product, getpass.getuser(), reason=reason)
        text = f"restored {imei}: its next claim gets a new secret"
        _print(database, imei, product, text, as_json)


@app.command("retire", epilog="Example: pointctl devices retire 866123456789018")
def devices_retire(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    mosquitto: Mosquitto = None,
    mosquitto_login: MosquittoLogin = None,
    mosquitto_ca: MosquittoCa = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """End a device's life: nobody is given its identity again."""
    with (
        open_accounts(
            mosquitto_admin(mosquitto, mosquitto_login, mosquitto_ca)
        ) as accounts,
        open_registry(data) as database,
    ):
        who = getpass.getuser()
        lifecycle.retire(database, imei, product, who, accounts, reason=reason)
        _print(database, imei, product, f"retired {imei}", as_json)


@app.command("unretire", epilog="Example: pointctl devices unretire 866123456789018")
def devices_unretire(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """It was retired by mistake: let it claim again, and give it a new secret."""
    with open_registry(data) as database:
        lifecycle.unretire(database, imei, product, getpass.getuser(), reason=reason)
        text = f"unretired {imei}: its next claim gets a new secret"
        _print(database, imei, product, text, as_json)


@app.command("lock", epilog="Example: pointctl devices lock 866123456789018")
def devices_lock(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Stop a device's claims; if it is connected, it stays so."""
    with open_registry(data) as database:
        lifecycle.lock(database, imei, product, getpass.getuser(), reason=reason)
        _print(database, imei, product, f"locked {imei}", as_json)


@app.command("unlock", epilog="Example: pointctl devices unlock 866123456789018")
def devices_unlock(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Answer a device's claims again."""
    with open_registry(data) as database:
        lifecycle.unlock(database, imei, product, getpass.getuser(), reason=reason)
        _print(database, imei, product, f"unlocked {imei}", as_json)


@app.command(
    "reopen",
    epilog="Example: pointctl devices reopen 866123456789018 --product pk3f9a2c71",
)
def devices_reopen(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Under product-secret: allow one claim without proof, as after a repair."""
    with open_registry(data) as database:
        lifecycle.reopen(database, imei, product, getpass.getuser(), reason=reason)
        text = f"reopened {imei} for one claim within seven days"
        _print(database, imei, product, text, as_json)


@app.command("release", epilog="Example: pointctl devices release 866123456789018")
def devices_release(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """End the quarantine of a device that two boards seemed to use."""
    with open_registry(data) as database:
        lifecycle.release(database, imei, product, getpass.getuser(), reason=reason)
        _print(database, imei, product, f"released {imei}", as_json)


@app.command("rotate", epilog="Example: pointctl devices rotate 866123456789018")
def devices_rotate(
    imei: _Imei,
    product: _Product = None,
    reason: _Reason = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Give its next claim a new secret; the old one is good until that is in use."""
    with open_registry(data) as database:
        lifecycle.rotate(database, imei, product, getpass.getuser(), reason=reason)
        text = f"{imei} gets a new secret at its next claim"
        _print(database, imei, product, text, as_json)


@app.command(
    "reveal",
    epilog="Example: pointctl devices reveal 866123456789018 --reason 'RMA 4711' "
    "--out secret.txt",
)
def devices_reveal(
    imei: _Imei,
    reason: Annotated[str, typer.Option(help="Why; the audit keeps it.")],
    out: Annotated[Path, typer.Option(help="File to write, readable by you only.")],
    product: _Product = None,
    data: Data = DATA,
) -> None:
    """Write the secrets that a device may use, the current one first."""
    with open_registry(data) as database, private_file(out) as file:
        who = getpass.getuser()
        secrets = lifecycle.reveal(database, imei, product, who, reason=reason)
        file.writelines(secret + "\n" for secret in secrets)
    print(f"wrote {len(secrets)} secrets of {imei} to {out}")


@app.command(
    "tag", epilog="Example: pointctl devices tag 866123456789018 --add field-trial"
)
def devices_tag(
    imei: _Imei,
    add: Annotated[
        list[str] | None, typer.Option(help="Put it on; repeatable.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="Take it off; repeatable.")
    ] = None,
    product: _Product = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Put tags on a device, and take tags off."""
    with open_registry(data) as database:
        who = getpass.getuser()
        changes = {"add": add or (), "remove": remove or ()}
        found = tags.change(database, imei, product, who, **changes)
    if as_json:
        print_json(found)
    else:
        print(f"{imei}: {' '.join(found) or 'no tags'}")


@app.command("tags", epilog="Example: pointctl devices tags --json")
def devices_tags(data: Data = DATA, as_json: Json = False) -> None:
    """List the tags there are, and how many devices have each."""
    with open_registry(data) as database:
        rows = tags.listed(database)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "tag", "devices")


@app.command("move", epilog="Example: pointctl devices move 866123456789018 --to A7")
def devices_move(
    imei: _Imei,
    to: Annotated[
        str | None, typer.Option(metavar="BATCH", help="Else out of any.")
    ] = None,
    product: _Product = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Put a device that has not enrolled yet into another batch."""
    with open_registry(data) as database:
        batches.move(database, imei, product, to, getpass.getuser())
        _print(database, imei, product, f"{imei} is in {to or 'no batch'}", as_json)


@app.command("history", epilog="Example: pointctl devices history 866123456789018")
def devices_history(
    imei: _Imei, product: _Product = None, data: Data = DATA, as_json: Json = False
) -> None:
    """Show what was done to a device, when, by whom and why."""
    with open_registry(data) as database:
        entries = search.history(database, imei, product)
    if as_json:
        print_json(entries)
    else:
        print_table(entries, "at", "who", "what", "note")


def _print(
    database: Database, imei: str, product: str | None, text: str, as_json: bool
) -> None:
    """Say what was done, or what the device is now."""
    if not as_json:
        print(text)
        return
    device: dict[str, Any] = search.show(database, imei, product)
    del device["history"], device["credentials"]
    print_json(device)
