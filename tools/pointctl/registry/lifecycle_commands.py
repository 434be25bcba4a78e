"""pointctl devices revoke, restore, reopen, release and history."""

import getpass
from typing import Annotated

import typer

from pointctl.broker.options import (
    Mosquitto,
    MosquittoCa,
    MosquittoLogin,
    mosquitto_accounts,
)
from pointctl.options import DATA, Data, Json, print_json, print_table
from pointctl.registry import lifecycle, search
from pointctl.registry.commands import PRODUCT, opened

_Imei = Annotated[str, typer.Argument(help="15 digits.")]
_Product = Annotated[str | None, PRODUCT]

app = typer.Typer()


@app.command("revoke", epilog="Example: pointctl devices revoke 866123456789018")
def devices_revoke(
    imei: _Imei,
    product: _Product = None,
    mosquitto: Mosquitto = None,
    mosquitto_login: MosquittoLogin = None,
    mosquitto_ca: MosquittoCa = None,
    data: Data = DATA,
) -> None:
    """Give a device nothing more, and let it in at the broker no more."""
    with (
        mosquitto_accounts(mosquitto, mosquitto_login, mosquitto_ca) as accounts,
        opened(data) as database,
    ):
        lifecycle.revoke(database, imei, product, getpass.getuser(), accounts)
    print(f"revoked {imei}")


@app.command("restore", epilog="Example: pointctl devices restore 866123456789018")
def devices_restore(imei: _Imei, product: _Product = None, data: Data = DATA) -> None:
    """After a revocation: let a device claim again, and give it a new secret."""
    with opened(data) as database:
        lifecycle.restore(database, imei, product, getpass.getuser())
    print(f"restored {imei}: its next claim gets a new secret")


@app.command(
    "reopen",
    epilog="Example: pointctl devices reopen 866123456789018 --product pk3f9a2c71",
)
def devices_reopen(imei: _Imei, product: _Product = None, data: Data = DATA) -> None:
    """Under product-secret: allow one claim without proof, as after a repair."""
    with opened(data) as database:
        lifecycle.reopen(database, imei, product, getpass.getuser())
    print(f"reopened {imei} for one claim within seven days")


@app.command("release", epilog="Example: pointctl devices release 866123456789018")
def devices_release(imei: _Imei, product: _Product = None, data: Data = DATA) -> None:
    """End the quarantine of a device that two boards seemed to use."""
    with opened(data) as database:
        lifecycle.release(database, imei, product, getpass.getuser())
    print(f"released {imei}")


@app.command("history", epilog="Example: pointctl devices history 866123456789018")
def devices_history(
    imei: _Imei, product: _Product = None, data: Data = DATA, as_json: Json = False
) -> None:
    """Show what was done to a device, when and by whom."""
    with opened(data) as database:
        entries = search.history(database, imei, product)
    if as_json:
        print_json(entries)
    else:
        print_table(entries, "at", "who", "what")
