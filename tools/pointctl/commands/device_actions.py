"""pointctl devices …: actions on one device, its tags, batch and history."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from pointctl.broker.accounts import MosquittoAdmin, open_accounts
from pointctl.commands.broker_options import (
    Mosquitto,
    MosquittoCa,
    MosquittoLogin,
    mosquitto_admin,
)
from pointctl.commands.options import DATA, PRODUCT, Data, Json, print_json, print_table
from pointctl.folder import private_file
from pointctl.registry.actions import ACTIONS, Action
from pointctl.registry.devices import batches, search, tags
from pointctl.registry.devices.search import DeviceDetails
from pointctl.registry.issuing import lifecycle
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.database import Database

_Imei = Annotated[str, typer.Argument(help="15 digits.")]
_Product = Annotated[str | None, PRODUCT]
_Reason = Annotated[
    str | None, typer.Option("--reason", help="Why; the audit keeps it.")
]

app = typer.Typer()


def _add_command(action: Action) -> None:
    """Add the command of an action, with the broker's options if it needs them."""

    def do(
        imei: _Imei,
        product: _Product = None,
        reason: _Reason = None,
        data: Data = DATA,
        as_json: Json = False,
    ) -> None:
        _run(action, None, imei, product, reason, data, as_json)

    def do_with_broker(
        imei: _Imei,
        product: _Product = None,
        reason: _Reason = None,
        mosquitto: Mosquitto = None,
        mosquitto_login: MosquittoLogin = None,
        mosquitto_ca: MosquittoCa = None,
        data: Data = DATA,
        as_json: Json = False,
    ) -> None:
        admin = mosquitto_admin(mosquitto, mosquitto_login, mosquitto_ca)
        _run(action, admin, imei, product, reason, data, as_json)

    example = f"Example: pointctl devices {action.name} 866123456789018"
    decorate = app.command(action.name, help=action.meaning, epilog=example)
    decorate(do_with_broker if action.updates_broker else do)


def _run(
    action: Action,
    admin: MosquittoAdmin | None,
    imei: str,
    product: str | None,
    reason: str | None,
    data: Path,
    as_json: bool,
) -> None:
    with open_accounts(admin) as accounts, open_registry(data) as database:
        who = getpass.getuser()
        action.run(database, accounts, imei, product, who, reason=reason)
        _print_result(database, imei, product, f"{action.done} {imei}", as_json)


for each in ACTIONS:
    _add_command(each)


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
    """Write the secrets that a device may use to a file, the current one first."""
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
        list[str] | None, typer.Option(help="A tag to put on; repeatable.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="A tag to take off; repeatable.")
    ] = None,
    product: _Product = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Put tags on a device, and take tags off."""
    with open_registry(data) as database:
        who = getpass.getuser()
        found = tags.change(
            database, imei, product, who, add=add or (), remove=remove or ()
        )
    if as_json:
        print_json(found)
    else:
        print(f"{imei}: {' '.join(found) or 'no tags'}")


@app.command("tags", epilog="Example: pointctl devices tags --json")
def devices_tags(data: Data = DATA, as_json: Json = False) -> None:
    """List all tags, and how many devices have each."""
    with open_registry(data) as database:
        rows = tags.count_tags(database)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "tag", "devices")


@app.command("move", epilog="Example: pointctl devices move 866123456789018 --to A7")
def devices_move(
    imei: _Imei,
    to: Annotated[
        str | None, typer.Option(metavar="BATCH", help="Default: no batch.")
    ] = None,
    product: _Product = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Put a device that has not enrolled yet into another batch."""
    with open_registry(data) as database:
        batches.move(database, imei, product, to, getpass.getuser())
        _print_result(
            database, imei, product, f"{imei} is in {to or 'no batch'}", as_json
        )


@app.command("history", epilog="Example: pointctl devices history 866123456789018")
def devices_history(
    imei: _Imei, product: _Product = None, data: Data = DATA, as_json: Json = False
) -> None:
    """Show what was done to a device, when, by whom and why."""
    with open_registry(data) as database:
        entries = search.read_history(database, imei, product)
    if as_json:
        print_json(entries)
    else:
        print_table(entries, "at", "who", "what", "note")


def _print_result(
    database: Database, imei: str, product: str | None, text: str, as_json: bool
) -> None:
    """Print what was done or, as JSON, the device as it is now."""
    if as_json:
        print_json(select_facts(search.show(database, imei, product)))
    else:
        print(text)


def select_facts(device: DeviceDetails) -> dict[str, object]:
    """Return what is known of a device, without its lists."""
    lists = ("credentials", "history")
    return {name: value for name, value in device.items() if name not in lists}
