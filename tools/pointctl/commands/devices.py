"""pointctl devices: registering, finding, showing; device_actions.py has the rest."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
from pointctl.registry.opening import open_registry
from pointctl.registry.storage.models import State

_File = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, help="CSV: imei, device_name, tags."),
]
_Imei = Annotated[str, typer.Argument(help="15 digits.")]
_Product = Annotated[str | None, PRODUCT]
_Batch = Annotated[
    str | None, typer.Option("--batch", help="Only those of this batch.")
]
_NewBatch = Annotated[
    str | None, typer.Option("--batch", help="The product's batch that they belong to.")
]
_State = Annotated[State | None, typer.Option("--state", help="Only those.")]
_Tag = Annotated[str | None, typer.Option("--tag", help="Only those that have it.")]
_Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="A tag for each; repeatable.")
]
_Text = Annotated[
    str | None, typer.Option("--text", help="How the IMEI begins, or else the name.")
]

app = typer.Typer(no_args_is_help=True, help="The boards, by IMEI.")
app.add_typer(device_actions.app)


@app.command(
    "add", epilog="Example: pointctl devices add 866123456789018 --product pk3f9a2c71"
)
def devices_add(
    imei: _Imei,
    product: Annotated[str, PRODUCT],
    name: Annotated[
        str | None, typer.Option(help="Device name; else the IMEI.")
    ] = None,
    batch: _NewBatch = None,
    tag: _Tags = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Register one device. One that is registered already stays as it is."""
    with open_registry(data) as database:
        row = devices.checked_row(1, imei, name, tag or ())
        who = getpass.getuser()
        result = devices.register(database, product, [row], batch=batch, who=who)
        if result.bad:
            raise PointctlError(f"{imei}: {result.bad[0].reason}")
        with database.snapshot() as session:
            found = [devices.find(session, imei, product)]
            (device,) = search.with_tags(session, found)
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
        bool, typer.Option("--skip-bad", help="Import the good rows of a bad file.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Register the devices of a CSV file: all of them, or none if a row is bad."""
    with open_registry(data) as database, progress_of(file) as rows:
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
    counts = {"added": result.added, "unchanged": result.unchanged}
    report(file, counts, result.bad_count, result.bad, as_json, dry_run)
    if result.bad_count and skip_bad and not dry_run:
        raise PartlyFailed(f"{result.bad_count} bad rows were skipped")
    if result.bad_count:
        raise PointctlError(
            f"{result.bad_count} bad rows, so nothing was added; correct them or use "
            "--skip-bad"
        )


@app.command("list", epilog="Example: pointctl devices list --state issued --limit 20")
def devices_list(
    text: _Text = None,
    product: _Product = None,
    state: _State = None,
    batch: _Batch = None,
    tag: _Tag = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    after: Annotated[
        str | None, typer.Option(help="Where the last list ended, as it said.")
    ] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Find devices, in the order of registration or, with --text, of the text."""
    filters = search.Filters(text, product, state, batch, tag)
    with open_registry(data) as database:
        page = search.search(database, filters, limit=limit, after=after)
    if as_json:
        print_json(page.rows)
    else:
        columns = ("imei", "product_key", "device_name", "state", "batch", "issued_at")
        print_table(page.rows, *columns)
    if page.next:
        print(
            f"these are the first {limit}; --after {page.next} shows the next",
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
    history, credentials = device.pop("history"), device.pop("credentials")
    for name, value in {**device, "tags": " ".join(device["tags"])}.items():
        print(f"{name.replace('_', ' '):12} {value or '-'}")
    if credentials:
        print("\ncredentials")
        print_table(credentials, "standing", "source", "created_at", "retired_at")
    if history:
        print("\nhistory")
        print_table(history, "at", "who", "what", "note")


@app.command("export", epilog="Example: pointctl devices export --out devices.csv")
def devices_export(
    out: Annotated[
        Path | None, typer.Option(help="File to write, readable by you only.")
    ] = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="With device secrets; needs --out.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why with secrets; the audit keeps it.")
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
        raise typer.BadParameter("secrets need a file, --out, and a --reason")
    filters = search.Filters(text, product, state, batch, tag)
    with open_registry(data) as database:
        if out is None:
            device_csv.write(database, sys.stdout, filters)
            return
        with private_file(out) as file:
            if secrets:
                why = getpass.getuser(), reason or ""
                count = device_csv.write_secrets(database, file, *why, filters)
            else:
                count = device_csv.write(database, file, filters)
    print(f"wrote {count} devices to {out}", file=sys.stderr)


@contextmanager
def progress_of(file: Path) -> Iterator[TextIO]:
    """A CSV file, with a bar on the terminal for as long as it is read and used."""
    bar = Progress(console=stderr, transient=True, disable=not stderr.is_terminal)
    with (
        bar as progress,
        progress.open(
            file, "r", encoding=device_csv.ENCODING, description="reading"
        ) as rows,
    ):
        yield rows


def report(
    file: Path,
    counts: dict[str, int],
    bad_count: int,
    bad: list[devices.BadRow],
    as_json: bool,
    dry_run: bool,
) -> None:
    """Print what became of an import, and each bad row that is known."""
    if as_json:
        rows = [{"line": row.line, "reason": row.reason} for row in bad]
        print_json({**counts, "bad_count": bad_count, "bad": rows, "dry_run": dry_run})
        return
    for row in bad:
        print(f"{file}:{row.line}: {row.reason}", file=sys.stderr)
    if bad_count > len(bad):
        print(f"{file}: and {bad_count - len(bad)} more", file=sys.stderr)
    would = "would have " if dry_run else ""
    print(would + ", ".join(f"{name} {number}" for name, number in counts.items()))
