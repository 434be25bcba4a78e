"""Options that several commands share, and functions that print results."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pointctl.folder import default_folder

stderr = Console(stderr=True)  # for messages; stdout is for results

# A command takes `data: Data = DATA`; the folder need not exist.
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="POINTCTL_DATA",
        metavar="DIR",
        show_default=False,
        help="Folder of the registry and the certificates.",
    ),
]
DATA = default_folder()
PRODUCT = typer.Option("--product", metavar="KEY", help="The product's key.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def parse_host_and_port(text: str) -> tuple[str, int] | None:
    """Parse the HOST:PORT of an option; return None if it is invalid."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        return None
    return host, int(port)


def refuse_password(
    context: typer.Context, parameter: typer.CallbackParam, url: str | None
) -> str | None:
    """Refuse a database's URL with a password in it, if it is an argument."""
    source = context.get_parameter_source(parameter.name or "")
    if url and source and source.name == "COMMANDLINE":
        # Loaded here: most commands are not given a URL.
        from pointctl.registry.storage.database import has_password

        if has_password(url):
            raise typer.BadParameter(
                "arguments are seen by everybody: put the password into PGPASSFILE or "
                f"PGPASSWORD, or the whole URL into {parameter.envvar}"
            )
    return url


def print_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()


def print_table(rows: Iterable[Mapping[str, object]], *columns: str) -> None:
    """Print the named columns of the rows as a table on stdout."""
    table = Table(*(column.replace("_", " ") for column in columns), box=None)
    for row in rows:
        table.add_row(*("" if row[c] is None else escape(str(row[c])) for c in columns))
    # Cells are never cut to fit: people copy the IMEIs.
    Console(width=10_000).print(table, soft_wrap=True)
