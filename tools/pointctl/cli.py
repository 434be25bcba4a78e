"""The command line: one Typer app; each group of commands is a file in commands/."""

import gc
import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from point import __version__
from pointctl.folder import DATABASE

# The groups of commands; each is in commands/NAME.py. A group is imported only when it
# is used, because importing all takes longer than most commands run.
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
    """The groups by name; each is imported when it is used."""

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
            with _no_collecting():
                app = import_module(f"pointctl.commands.{name}").app
            group = typer.main.get_group(app)
            group.name = name
            # If a group has one command, named as the group, the group is that command.
            is_command = list(group.commands) == [name]
            self._loaded[name] = group.commands[name] if is_command else group
            _unwrap_help(group)
        return self._loaded[name]


class _Pointctl(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(MutableMapping[str, Any], _Commands())


def _unwrap_help(command: Any) -> None:
    """Join the lines of each paragraph of help, so that terminals wrap them."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(text.split()) for text in paragraphs)
    for child in getattr(command, "commands", {}).values():
        _unwrap_help(child)


app = typer.Typer(
    cls=_Pointctl,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they print local variables, which hold secrets
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 partly failed.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"pointctl {__version__}")
        raise typer.Exit


def _check_no_password(
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
            callback=_check_no_password,
            help="postgresql://USER@HOST/NAME; default: a file in the data folder.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Credentials for cellular MicroPython boards: registry, server, certificates."""
    if database:
        os.environ[DATABASE] = database  # commands and their child processes read it
