"""pointctl factory batch and balance: keys ahead of the boards, and the stock."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from pointctl.commands.factory_options import JobFolder
from pointctl.commands.options import Json, print_json, print_table
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.factory.domain.job import Job
from pointctl.factory.domain.journal import Journal
from pointctl.factory.domain.unit_lists import units as read_units
from pointctl.factory.domain.units import Step, named
from pointctl.factory.sources.open_source import open_source

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
        Path | None, typer.Option(help="Also write the keys here, for you only.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch the keys of a list before the boards are there.

    They are in the job's journal then, and `run` burns them without asking again. An
    interrupted one is given again, and goes on: no key is spent twice.
    """
    from pointctl.factory.sources import batching

    found = Job(job)
    plan = found.plan()
    wanted = read_units(units)
    with (
        found.alone(),
        Journal(job) as journal,
        open_source(found, plan) as source,
        nullcontext() if as_json else batching.bar(len(wanted)) as bar,
    ):
        journal.begin("batch")
        done = batching.fetch(plan, journal, source, wanted, bar or (lambda _n: None))
        journal.append(Step.STOPPED)
        if out is not None:
            batching.write_keys(journal, wanted, out)
    told = {"units": len(wanted), "fetched": done.fetched, "had": done.had}
    if as_json:
        print_json(told | {"bad": done.bad})
    else:
        for unit, why in done.bad.items():
            print(f"{named(unit)} {unit}: {why}", file=sys.stderr)
        print(f"{done.fetched} keys fetched, {done.had} were there")
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
    found = Job(job)
    plan = found.plan()
    with Journal(job) as journal:
        given = sum(each.answered for each in journal.standings().values())
    with open_source(found, plan, given=given) as source:
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
    lefts = [stock.left for stock in stocks]
    if None not in lefts:
        left = sum(each for each in lefts if each is not None)
        if left < warn:
            raise PointctlError(f"{left} keys are left, fewer than {warn}: order more")
