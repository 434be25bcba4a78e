"""pointctl factory report: what came of a job."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pointctl.commands.factory_options import JobFolder
from pointctl.commands.options import Json, print_json
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.factory.domain.job import Job, LabelPlan, Plan
from pointctl.factory.domain.journal import Journal
from pointctl.factory.output import report, sheets
from pointctl.factory.sources.open_source import open_source

app = typer.Typer()


@app.command(
    "report",
    epilog="Example: pointctl factory report jobs/A7 --out A7.xlsx --labels A7.pdf",
)
def factory_report(
    job: JobFolder,
    out: Annotated[
        Path | None, typer.Option(help="Every unit, as .csv or .xlsx.")
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A certificate for each unit that is done."),
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="Of these units only; repeatable.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="The labels as a PDF, on sheets.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="JSON: page, columns, rows, gaps, in mm.")
    ] = None,
    check_source: Annotated[
        bool, typer.Option("--check-source", help="Compare with the source's stock.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what came of a job: done, not done and why, keys spent, units an hour."""
    found = Job(job)
    plan = found.plan()
    with Journal(job) as journal:
        figures = report.figures(journal)
        told: dict[str, Any] = {
            "product": plan.product,
            "planned": plan.count,
            **{name: getattr(figures, name) for name in figures.__dataclass_fields__},
        }
        if out is not None:
            report.write(journal, out)
        if certificates is not None:
            report.write_certificates(journal, plan, certificates, unit or ())
        if labels is not None:
            chosen = unit or [u for u, s in journal.standings().items() if s.done]
            _write_sheets(plan, chosen, labels, sheet)
    if check_source:
        told |= _compared(found, plan, figures.spent)
    if as_json:
        print_json(told)
    else:
        _print_report(told)
    if not figures.complete:
        raise PartlyFailed(f"{figures.units - figures.done} units are not done")


def _print_report(told: dict[str, Any]) -> None:
    planned = f" of {told['planned']} planned" if told["planned"] else ""
    print(f"{told['product']}: {told['done']} done{planned}")
    print(f"keys spent: {told['spent']}")
    if told["first_yield"] is not None:
        print(f"first-time yield: {told['first_yield']:.1%}")
    if told["per_hour"] is not None:
        print(f"units an hour: {told['per_hour']:.0f}")
    if told.get("source_gave") is not None:
        print(f"the source gave {told['source_gave']} since the job was planned")
    for title, name in (("not done", "not_done"), ("turns that failed", "failures")):
        for reason, number in told[name].items():
            print(f"{title}: {reason}: {number}")


def _compared(job: Job, plan: Plan, spent: int) -> dict[str, Any]:
    """What the source says it gave, against what the journal says was spent."""
    with open_source(job, plan, given=spent) as source:
        used = sum(stock.used for stock in source.stocks())
    gave = used - (plan.used_before or 0)
    return {"source_gave": gave, "agrees": gave == spent}


def _write_sheets(
    plan: Plan, units: list[str], path: Path, settings: Path | None
) -> None:
    try:
        text = settings.read_text(encoding="utf-8") if settings else "{}"
        sheet = sheets.Sheet.model_validate_json(text)
    except ValueError as error:
        raise PointctlError(f"{settings}: {str(error).splitlines()[0]}") from None
    label = plan.label or LabelPlan()
    pages = sheets.write(path, plan.product, units, label, sheet)
    print(f"wrote {len(units)} labels on {pages} pages to {path}", file=sys.stderr)
