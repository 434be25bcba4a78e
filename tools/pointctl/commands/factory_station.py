"""pointctl factory run and resume: run the station."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from pointctl.commands.factory_options import JobFolder
from pointctl.errors import PartlyFailed, PointctlError
from pointctl.factory.domain.job import Job, Plan
from pointctl.factory.domain.journal import Journal
from pointctl.factory.domain.units import Step, parse_unit
from pointctl.factory.output import report
from pointctl.factory.output.labels import Printer
from pointctl.factory.sources.open_source import open_source
from pointctl.factory.station.display import JsonLines, Lines, LiveTable
from pointctl.factory.station.line import Line
from pointctl.factory.station.station import Display, Station, Statuses
from pointctl.factory.station.tally import start_tally

app = typer.Typer()

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Ports = Annotated[
    list[str] | None,
    typer.Option(metavar="[KIND=]PORT", help="Default: all USB ports; repeatable."),
]
_Until = Annotated[int | None, typer.Option(min=1, help="Stop after so many units.")]
_Idle = Annotated[
    float | None,
    typer.Option(min=0.5, help="Stop after so many seconds without a board."),
]
_Events = Annotated[
    bool, typer.Option("--json", help="Print each event as a line of JSON.")
]


@app.command(
    "run", epilog="Example: pointctl factory run jobs/A7 --port esp32=/dev/ttyUSB0"
)
def factory_run(
    job: JobFolder,
    port: _Ports = None,
    until: _Until = None,
    idle: _Idle = None,
    repair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="UNIT", help="This board lost its key: burn it once more."
        ),
    ] = None,
    ask_again: Annotated[
        list[str] | None,
        typer.Option(
            metavar="UNIT", help="The answer was lost: ask again; it may cost a key."
        ),
    ] = None,
    as_json: _Events = False,
) -> None:
    """Run the station: plug boards in, and take out those that are done.

    Ctrl-C finishes the boards that are in work. Run the command again to go on, also
    after a power cut.
    """
    again = ask_again or []
    _run(Job(job), port or [], until, idle, as_json, repair or [], again)


@app.command("resume", epilog="Example: pointctl factory resume jobs/A7")
def factory_resume(
    job: JobFolder,
    port: _Ports = None,
    until: _Until = None,
    idle: _Idle = None,
    as_json: _Events = False,
) -> None:
    """List the units that are not done, and run the station again."""
    Job(job).plan()  # first: Journal() would make a file in any folder
    with Journal(job) as journal:
        if faults := journal.faults():
            raise PointctlError(
                f"the journal is damaged: {faults[0]}; restore the job's folder from a "
                "copy, see Recovery in docs/factory.md"
            )
        not_done = [each for each in journal.all_progress().values() if not each.done]
    for each in not_done:
        print(f"{each.unit}  {report.state(each)}", file=sys.stderr)
    print(f"{len(not_done)} units are not done; plug them in", file=sys.stderr)
    _run(Job(job), port or [], until, idle, as_json)


def _run(
    job: Job,
    named_ports: list[str],
    until: int | None,
    idle: float | None,
    as_json: bool,
    repair: Sequence[str] = (),
    ask_again: Sequence[str] = (),
) -> None:
    from pointctl.factory.station.serial_board import SerialBoard
    from pointctl.factory.station.serial_ports import port_finder

    plan = job.plan()
    find_ports = port_finder(named_ports)
    with (
        job.locked(),
        Journal(job.folder) as journal,
        open_source(job, plan) as source,
        _open_display(plan, named_ports, as_json) as display,
    ):
        journal.begin(plan.source.value)
        statuses = Statuses()

        def report_step(port: str, unit: str | None, step: Step, note: str) -> None:
            text = f"{unit} {note or step.value}" if unit else step.value
            statuses.report(port, text)

        line = Line(
            plan,
            journal,
            source,
            partial(SerialBoard, key_file=plan.key_file),
            Printer(plan.product, plan.label, job.labels) if plan.label else None,
            report_step,
            repair=[parse_unit(each) for each in repair],
            ask_again=[parse_unit(each) for each in ask_again],
        )
        tally = start_tally(journal.all_progress())
        station = Station(line, find_ports, display, tally, statuses)
        with _stopped_by_signals(station):
            station.run(units=until, idle_s=idle)
        journal.append(Step.STOPPED)
        display.refresh(tally)
        left = tally.not_done
    if left:
        raise PartlyFailed(f"{left} units are not done; see pointctl factory report")


@contextmanager
def _open_display(plan: Plan, ports: list[str], as_json: bool) -> Iterator[Display]:
    if as_json:
        yield JsonLines(sys.stdout)
    elif sys.stdout.isatty():
        names = [each.rpartition("=")[2] for each in ports]
        with LiveTable(plan, Console(), names) as table:
            yield table
    else:
        yield Lines(sys.stdout)


@contextmanager
def _stopped_by_signals(station: Station) -> Iterator[None]:
    """Stop the station on the first Ctrl-C or SIGTERM; the second one aborts."""
    before = {int(number): signal.getsignal(number) for number in _SIGNALS}

    def stop(number: int, _frame: FrameType | None) -> None:
        station.stop()
        signal.signal(number, before[number])

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
