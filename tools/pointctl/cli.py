"""The command line: one Typer app, whose commands are in the rooms."""

import gc
import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from point import __version__
from pointctl.options import DATABASE

# Where each command is. Its room is loaded when it is asked for: all of them together
# take as long as many a command does.
_ROOMS = {
    "serve": "server.commands:serve_app",
    "doctor": "doctor.commands:app",
    "demo": "demo.commands:app",
    "products": "registry.commands:products_app",
    "devices": "registry.device_commands:app",
    "batches": "registry.batch_commands:app",
    "pool": "registry.pool_commands:app",
    "keys": "registry.key_commands:app",
    "db": "registry.upkeep_commands:app",
    "operators": "registry.operator_commands:app",
    "boards": "boards.commands:app",
    "factory": "factory.commands:app",
    "ca": "server.commands:ca_app",
    "cipher": "support.cipher_commands:app",
    "mqtt": "support.mqtt_commands:app",
    "gizwits": "clouds.gizwits_preauth.commands:app",
    "sandbox": "clouds.gizwits_preauth.sandbox.commands:app",
}


@contextmanager
def _no_collecting() -> Iterator[None]:
    """A block that loads modules: it makes many objects, and no garbage to look for."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class _Commands(Mapping[str, Any]):
    """The commands of all rooms by name, each loaded when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(_ROOMS)

    def __len__(self) -> int:
        return len(_ROOMS)

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module, attribute = _ROOMS[name].split(":")
            with _no_collecting():
                room = getattr(import_module(f"pointctl.{module}"), attribute)
            group = typer.main.get_group(room)
            group.name = name
            # One command of the room's own name is not a group.
            alone = list(group.commands) == [name]
            self._loaded[name] = group.commands[name] if alone else group
            _flow(group)
        return self._loaded[name]


class _Pointctl(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(MutableMapping[str, Any], _Commands())


def _flow(command: Any) -> None:
    """Let terminals break the lines of help: Typer would keep those of the source."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(text.split()) for text in paragraphs)
    for child in getattr(command, "commands", {}).values():
        _flow(child)


app = typer.Typer(
    cls=_Pointctl,
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
    if url and source and source.name == "COMMANDLINE":
        from pointctl.registry.database import has_password

        if has_password(url):
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
