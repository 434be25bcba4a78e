"""The command line: one Typer app that the rooms' commands are hung into."""

import os
from typing import Annotated

import typer

from point import __version__
from pointctl.boards import commands as boards
from pointctl.boards import deploy_commands as deploying
from pointctl.clouds.gizwits_preauth import commands as gizwits
from pointctl.clouds.gizwits_preauth.sandbox import commands as sandbox
from pointctl.demo import commands as demo
from pointctl.doctor import commands as doctor
from pointctl.factory import commands as factory
from pointctl.options import DATABASE
from pointctl.registry import batch_commands as batches
from pointctl.registry import commands as registry
from pointctl.registry import device_commands as devices
from pointctl.registry import key_commands as keys
from pointctl.registry import lifecycle_commands as lifecycle
from pointctl.registry import operator_commands as operators
from pointctl.registry import pool_commands as pool
from pointctl.registry import upkeep_commands as upkeep
from pointctl.registry.database import has_password
from pointctl.server import commands as server
from pointctl.support import cipher_commands as cipher
from pointctl.support import mqtt_commands as mqtt

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # their frames show local variables: secrets
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 partly failed.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"pointctl {__version__}")
        raise typer.Exit


def _without_password(context: typer.Context, url: str | None) -> str | None:
    source = context.get_parameter_source("database")
    if url and source and source.name == "COMMANDLINE" and has_password(url):
        raise typer.BadParameter(
            "arguments are seen by everybody: put the password into PGPASSFILE or "
            f"PGPASSWORD, or the whole URL into {DATABASE}"
        )
    return url


@app.callback()
def pointctl(
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar=DATABASE,
            callback=_without_password,
            help="postgresql://USER@HOST/NAME; else a file in the data folder.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Credentials for cellular MicroPython boards: registry, server, certificates."""
    if database:
        os.environ[DATABASE] = database  # for the commands, and processes they start


app.add_typer(registry.products_app, name="products")
app.add_typer(devices.app, name="devices")
devices.app.add_typer(lifecycle.app)
app.add_typer(batches.app, name="batches")
app.add_typer(pool.app, name="pool")
app.add_typer(keys.app, name="keys")
app.add_typer(upkeep.app, name="db")
app.add_typer(operators.app, name="operators")
app.add_typer(boards.app, name="boards")
app.add_typer(factory.app, name="factory")
boards.app.add_typer(deploying.app)
app.add_typer(server.ca_app, name="ca")
app.add_typer(cipher.app, name="cipher")
app.add_typer(mqtt.app, name="mqtt")
app.add_typer(gizwits.app, name="gizwits")
app.add_typer(sandbox.app, name="sandbox")
app.command(epilog=server.SERVE_EXAMPLE)(server.serve)
app.command(epilog=doctor.EXAMPLE)(doctor.doctor)
app.command(epilog=demo.EXAMPLE)(demo.demo)
