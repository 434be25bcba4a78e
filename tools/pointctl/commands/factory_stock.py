"""pointctl factory batch and balance: fetch keys in advance, and show the stock."""

import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pointctl.commands.factory_options import JobFolder
from pointctl.commands.options import Json, print_json, print_table
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.factory.domain.job import Job
from pointctl.factory.domain.journal import Journal
from pointctl.factory.domain.unit_lists import read_units
from pointctl.factory.domain.units import Step, number_type
from pointctl.factory.sources.open_source import open_source
from pointctl.factory.sources.source import total_left

app = typer.Typer()


@app.command(
    "batch", epilog="Example: pointctl factory batch jobs/A7 imeis.xlsx --out A7.keys"
)
def factory_batch(
    job: JobFolder,
    units: Annotated[
        Path, typer.Argument(metavar="LIST", help="IMEIs or MACs: text, CSV, .xlsx.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Also write the keys to this file, for you only."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch the keys of a list before there are boards.

    The keys are stored in the job's journal, and `run` burns them without asking again.
    After an interruption repeat the command: no key is spent twice.
    """
    from pointctl.factory.sources import batching

    this = Job(job)
    plan = this.plan()
    wanted = read_units(units)
    with (
        this.locked(),
        Journal(job) as journal,
        open_source(this, plan) as source,
        nullcontext() if as_json else batching.progress_bar(len(wanted)) as bar,
    ):
        journal.begin("batch")
        done = batching.fetch(plan, journal, source, wanted, bar or (lambda _n: None))
        journal.append(Step.STOPPED)
        if out is not None:
            batching.write_keys(journal, wanted, out)
    if as_json:
        print_json({"units": len(wanted), **asdict(done)})
    else:
        for unit, why in done.bad.items():
            print(f"{number_type(unit)} {unit}: {why}", file=sys.stderr)
        print(f"{done.fetched} keys fetched, {done.had} were in the journal")
    if done.bad:
        raise PartlyFailed(f"{len(done.bad)} of {len(wanted)} units have no key")


@app.command("balance", epilog="Example: pointctl factory balance jobs/A7 --warn 500")
def factory_balance(
    job: JobFolder,
    warn: Annotated[
        int, typer.Option(min=0, help="Fail if fewer keys are left in all.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Show how many keys the source has left."""
    this = Job(job)
    plan = this.plan()
    with Journal(job) as journal:
        used = sum(each.answered for each in journal.all_progress().values())
    with open_source(this, plan, used=used) as source:
        stocks = source.stocks()
    rows = [
        {
            "name": stock.name,
            "keys": stock.capacity,
            "used": stock.used,
            "left": stock.left,
            "open": stock.open,
            "until": stock.until,
        }
        for stock in stocks
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, "name", "keys", "used", "left", "open", "until")
    left = total_left(stocks)
    if left is not None and left < warn:
        raise PointctlError(f"{left} keys are left, fewer than {warn}: order more")
