"""The command line: one Typer app, whose groups are in commands/."""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from point import __version__
from pointctl.folder import DATABASE

# The groups of commands: commands/NAME.py has each. A group is loaded when it is asked
# for: all of them together take longer than most commands run.
_GROUPS = (
    "serve",
    "doctor",
    "demo",
    "products",
    "devices",
    "batches",
    "pool",
    "keys",
    "db",
    "operators",
    "boards",
    "factory",
    "ca",
    "cipher",
    "mqtt",
    "gizwits",
    "sandbox",
)


class _Commands(Mapping[str, Any]):
    """The groups by name, each loaded when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(_GROUPS)

    def __len__(self) -> int:
        return len(_GROUPS)

    def __getitem__(self, name: str) -> Any:
        if name not in _GROUPS:
            raise KeyError(name)
        if name not in self._loaded:
            app = import_module(f"pointctl.commands.{name}").app
            group = typer.main.get_group(app)
            group.name = name
            # A group of one command with the group's own name is that command.
            is_command = list(group.commands) == [name]
            self._loaded[name] = group.commands[name] if is_command else group
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


def _without_password(
    context: typer.Context, parameter: typer.CallbackParam, url: str | None
) -> str | None:
    if url is None:
        return None
    # Loaded here: most commands are not given a URL.
    from pointctl.commands.options import refuse_password

    return refuse_password(context, parameter, url)


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
