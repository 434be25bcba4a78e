"""pointctl devices: register, find and show; device_actions.py has the rest."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.progress import Progress

from pointctl.commands import device_actions
from pointctl.commands.options import (
    DATA,
    PRODUCT,
    Data,
    Json,
    print_json,
    print_table,
    stderr,
)
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.folder import private_file
from pointctl.registry.devices import device_csv, devices, search
from pointctl.registry.devices.staging import ImportOutcome
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.models import State

_File = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, help="CSV: imei, device_name, tags."),
]
_Imei = Annotated[str, typer.Argument(help="15 digits.")]
_Product = Annotated[str | None, PRODUCT]
_Batch = Annotated[
    str | None, typer.Option("--batch", help="Only devices of this batch.")
]
_NewBatch = Annotated[
    str | None, typer.Option("--batch", help="The batch to put new devices into.")
]
_State = Annotated[
    State | None, typer.Option("--state", help="Only devices in this state.")
]
_Tag = Annotated[
    str | None, typer.Option("--tag", help="Only devices that have this tag.")
]
_Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="A tag for new devices; repeatable.")
]
_Text = Annotated[
    str | None,
    typer.Option("--text", help="How the IMEI or, if not all digits, the name begins."),
]

app = typer.Typer(no_args_is_help=True, help="Devices: the boards, by IMEI.")
app.add_typer(device_actions.app)


@app.command(
    "add", epilog="Example: pointctl devices add 866123456789018 --product pk3f9a2c71"
)
def devices_add(
    imei: _Imei,
    product: Annotated[str, PRODUCT],
    name: Annotated[
        str | None, typer.Option(help="Device name; default: the IMEI.")
    ] = None,
    batch: _NewBatch = None,
    tag: _Tags = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Register one device. A device that is registered already does not change."""
    with open_registry(data) as database:
        row = devices.validate_row(1, imei, name, tag or ())
        who = getpass.getuser()
        result = devices.register(database, product, [row], batch=batch, who=who)
        if result.bad:
            raise PointctlError(f"{imei}: {result.bad[0].reason}")
        with database.snapshot() as session:
            found = [devices.find(session, imei, product)]
            (device,) = search.summarize(session, found)
    if as_json:
        print_json({**device, "added": bool(result.added)})
    else:
        print(f"{'added' if result.added else 'unchanged:'} device {imei}")


@app.command(
    "import",
    epilog="Example: pointctl devices import boards.csv --product pk3f9a2c71",
)
def devices_import(
    file: _File,
    product: Annotated[str, PRODUCT],
    batch: _NewBatch = None,
    tag: _Tags = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows; skip bad ones.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be done.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Register the devices of a CSV file: all of them, or none if a row is bad."""
    with open_registry(data) as database, open_with_progress(file) as rows:
        result = devices.register(
            database,
            product,
            device_csv.read(rows),
            batch=batch,
            tags=tag or (),
            skip_bad=skip_bad,
            dry_run=dry_run,
            who=getpass.getuser(),
        )
    print_import(file, result, as_json, dry_run)
    if result.bad_count and skip_bad and not dry_run:
        raise PartlyFailed(f"{result.bad_count} bad rows were skipped")
    if result.bad_count:
        raise PointctlError(
            f"nothing was added, because {result.bad_count} rows are bad; correct them "
            "or use --skip-bad"
        )


@app.command("list", epilog="Example: pointctl devices list --state issued --limit 20")
def devices_list(
    text: _Text = None,
    product: _Product = None,
    state: _State = None,
    batch: _Batch = None,
    tag: _Tag = None,
    limit: Annotated[int, typer.Option(min=1, help="The most devices to list.")] = 100,
    after: Annotated[
        str | None, typer.Option(help="Continue after a list: the value it printed.")
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Find devices, in the order of registration or, with --text, sorted by it."""
    filters = search.DeviceFilters(text, product, state, batch, tag)
    with open_registry(data) as database:
        page = search.search(database, filters, limit=limit, after=after)
    if as_json:
        print_json(page.rows)
    else:
        columns = ("imei", "product_key", "device_name", "state", "batch", "issued_at")
        print_table(page.rows, *columns)
    if page.next:
        print(
            f"there are more than these {limit}; --after {page.next} lists the next",
            file=sys.stderr,
        )


@app.command("show", epilog="Example: pointctl devices show 866123456789018")
def devices_show(
    imei: _Imei, product: _Product = None, data: Data = DATA, as_json: Json = False
) -> None:
    """Show one device with its history, without its secret."""
    with open_registry(data) as database:
        device = search.show(database, imei, product)
    if as_json:
        print_json(device)
        return
    facts = {**device_actions.select_facts(device), "tags": " ".join(device["tags"])}
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):12} {value or '-'}")
    if device["credentials"]:
        print("\ncredentials")
        columns = ("standing", "source", "created_at", "retired_at")
        print_table(device["credentials"], *columns)
    if device["history"]:
        print("\nhistory")
        print_table(device["history"], "at", "who", "what", "note")


@app.command("export", epilog="Example: pointctl devices export --out devices.csv")
def devices_export(
    out: Annotated[
        Path | None, typer.Option(help="File to write, readable by you only.")
    ] = None,
    secrets: Annotated[
        bool,
        typer.Option("--secrets", help="Add device secrets; needs --out and --reason."),
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why you need the secrets; the audit keeps it.")
    ] = None,
    text: _Text = None,
    product: _Product = None,
    state: _State = None,
    batch: _Batch = None,
    tag: _Tag = None,
    data: Data = DATA,
) -> None:
    """Write devices as CSV, to stdout or a file."""
    if secrets and (out is None or reason is None):
        raise typer.BadParameter("--secrets needs --out FILE and --reason")
    filters = search.DeviceFilters(text, product, state, batch, tag)
    with open_registry(data) as database:
        if out is None:
            device_csv.write(database, sys.stdout, filters)
            return
        with private_file(out) as file:
            if secrets:
                who, why = getpass.getuser(), reason or ""
                count = device_csv.write_secrets(database, file, who, why, filters)
            else:
                count = device_csv.write(database, file, filters)
    print(f"wrote {count} devices to {out}", file=sys.stderr)


@contextmanager
def open_with_progress(file: Path) -> Iterator[TextIO]:
    """Open a CSV file, and show on the terminal how much of it is read."""
    bar = Progress(console=stderr, transient=True, disable=not stderr.is_terminal)
    with (
        bar as progress,
        progress.open(
            file, "r", encoding=device_csv.ENCODING, description="reading"
        ) as rows,
    ):
        yield rows


def print_import(
    file: Path, outcome: ImportOutcome, as_json: bool, dry_run: bool
) -> None:
    """Print the outcome of an import, and the bad rows that it lists."""
    if as_json:
        print_json({**asdict(outcome), "dry_run": dry_run})
        return
    for row in outcome.bad:
        print(f"{file}:{row.line}: {row.reason}", file=sys.stderr)
    if outcome.bad_count > len(outcome.bad):
        more = outcome.bad_count - len(outcome.bad)
        print(f"{file}: and {more} more bad rows", file=sys.stderr)
    would = "would have " if dry_run else ""
    print(f"{would}added {outcome.added}, unchanged {outcome.unchanged}")
