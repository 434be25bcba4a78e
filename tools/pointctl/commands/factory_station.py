"""pointctl factory run and resume: the station itself."""

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
from pointctl.factory.domain.units import Step, checked_unit
from pointctl.factory.output import report
from pointctl.factory.output.labels import Printer
from pointctl.factory.sources.open_source import open_source
from pointctl.factory.station.line import Line
from pointctl.factory.station.show import JsonLines, Lines, LiveTable
from pointctl.factory.station.station import Show, Station, Words, tally_of

app = typer.Typer()

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Ports = Annotated[
    list[str] | None,
    typer.Option(metavar="[KIND=]PORT", help="Else all USB ports; repeatable."),
]
_Until = Annotated[int | None, typer.Option(min=1, help="Stop after so many units.")]
_Idle = Annotated[
    float | None, typer.Option(min=0.5, help="Stop after so many s without a board.")
]
_Events = Annotated[bool, typer.Option("--json", help="An event in each line.")]


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
        typer.Option(metavar="UNIT", help="It has lost its key: burn it once more."),
    ] = None,
    ask_again: Annotated[
        list[str] | None,
        typer.Option(metavar="UNIT", help="Its answer was lost: it may cost a key."),
    ] = None,
    as_json: _Events = False,
) -> None:
    """Be the station: plug boards in, take out what is done.

    Ctrl-C finishes the boards that are in work. Run it again to go on, also after a
    power cut.
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
    """Say which units were interrupted, and be the station again."""
    Job(job).plan()  # else a journal would be made where there is no job
    with Journal(job) as journal:
        if faults := journal.faults():
            raise PointctlError(f"the journal is damaged: {faults[0]}; see docs")
        open_ones = [each for each in journal.standings().values() if not each.done]
    for each in open_ones:
        print(f"{each.unit}  {report.state(each)}", file=sys.stderr)
    print(f"{len(open_ones)} units are not done; plug them in", file=sys.stderr)
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
    from pointctl.factory.station.serial_board import Bench
    from pointctl.factory.station.serial_ports import watched

    plan = job.plan()
    ports = watched(named_ports)
    with (
        job.alone(),
        Journal(job.folder) as journal,
        open_source(job, plan) as source,
        _shown(plan, named_ports, as_json) as show,
    ):
        journal.begin(plan.source.value)
        words = Words()

        def tell(port: str, unit: str | None, step: Step, note: str) -> None:
            words.say(port, f"{unit} {note or step.value}" if unit else step.value)

        printer = Printer(plan.product, plan.label, job.labels) if plan.label else None
        repaired = [checked_unit(each) for each in repair]
        again = [checked_unit(each) for each in ask_again]
        opener = partial(Bench, file=plan.burns)
        line = Line(plan, journal, source, opener, printer, tell, repaired, again)
        station = Station(line, ports, show, tally_of(journal.standings()), words)
        with _stopping(station):
            station.run(units=until, idle_s=idle)
        journal.append(Step.STOPPED)
        show.tick(station.tally)
        left = station.tally.not_done
    if left:
        raise PartlyFailed(f"{left} units are not done; pointctl factory report")


@contextmanager
def _shown(plan: Plan, ports: list[str], as_json: bool) -> Iterator[Show]:
    if as_json:
        yield JsonLines(sys.stdout)
    elif sys.stdout.isatty():
        names = [each.rpartition("=")[2] for each in ports]
        with LiveTable(plan, Console(), names) as table:
            yield table
    else:
        yield Lines(sys.stdout)


@contextmanager
def _stopping(station: Station) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM finishes what is in work, another one breaks off."""
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
