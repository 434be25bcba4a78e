"""pointctl factory report: the results of a job."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from pointctl.commands.factory_options import JobFolder
from pointctl.commands.options import Json, print_json
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.factory.domain.job import Job, LabelPlan, Plan
from pointctl.factory.domain.journal import Journal
from pointctl.factory.output import report, sheets
from pointctl.factory.output.report import JobFigures
from pointctl.factory.sources.open_source import open_source

app = typer.Typer()


@app.command(
    "report",
    epilog="Example: pointctl factory report jobs/A7 --out A7.xlsx --labels A7.pdf",
)
def factory_report(
    job: JobFolder,
    out: Annotated[
        Path | None, typer.Option(help="Write every unit to this .csv or .xlsx.")
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a certificate for each unit that is done."
        ),
    ] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="For these units only; repeatable.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Write the labels as a PDF, on sheets.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="A JSON file: page, columns, rows, gaps, in mm.")
    ] = None,
    check_source: Annotated[
        bool, typer.Option("--check-source", help="Compare with what the source gave.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Report on a job: done, not done and why, keys spent, units an hour."""
    this = Job(job)
    plan = this.plan()
    with Journal(job) as journal:
        figures = report.figures(journal)
        if out is not None:
            report.write_table(journal, out)
        if certificates is not None:
            report.write_certificates(journal, plan, certificates, unit or ())
        if labels is not None:
            units = unit or [u for u, p in journal.all_progress().items() if p.done]
            _write_sheets(plan, units, labels, sheet)
    comparison = _compare(this, plan, figures.spent) if check_source else None
    if as_json:
        members = {
            "product": plan.product,
            "planned": plan.count,
            **asdict(figures),
            **(asdict(comparison) if comparison else {}),
        }
        print_json(members)
    else:
        _print_report(plan, figures, comparison)
    if not figures.is_complete:
        raise PartlyFailed(f"{figures.units - figures.done} units are not done")


@dataclass(frozen=True)
class _Comparison:
    """What the source says it gave, against the journal; --json prints these names."""

    source_gave: int
    agrees: bool


def _print_report(
    plan: Plan, figures: JobFigures, comparison: _Comparison | None
) -> None:
    planned = f" of {plan.count} planned" if plan.count else ""
    print(f"{plan.product}: {figures.done} done{planned}")
    print(f"keys spent: {figures.spent}")
    if figures.first_yield is not None:
        print(f"first-time yield: {figures.first_yield:.1%}")
    if figures.per_hour is not None:
        print(f"units an hour: {figures.per_hour:.0f}")
    if comparison is not None:
        print(f"the source gave {comparison.source_gave} since the job was planned")
    for reason, number in figures.not_done.items():
        print(f"not done: {reason}: {number}")
    for reason, number in figures.failures.items():
        print(f"turns that failed: {reason}: {number}")


def _compare(job: Job, plan: Plan, spent: int) -> _Comparison:
    """Compare the keys that the source gave with those that the journal spent."""
    with open_source(job, plan, used=spent) as source:
        used = sum(stock.used for stock in source.stocks())
    gave = used - (plan.used_before or 0)
    return _Comparison(source_gave=gave, agrees=gave == spent)


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
