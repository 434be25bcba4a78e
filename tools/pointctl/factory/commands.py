"""pointctl factory …: plan a job, run the station, see what came of it."""

import getpass
import json
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console

from pointctl.errors import PartlyFailed, PointctlError, Refused
from pointctl.factory import report, sheets
from pointctl.factory.job import Job, LabelPlan, Plan, SelfTest, SourceKind
from pointctl.factory.journal import Journal
from pointctl.factory.labels import Printer
from pointctl.factory.line import Line
from pointctl.factory.lists import units as read_units
from pointctl.factory.show import JsonLines, Lines, LiveTable
from pointctl.factory.sourcing import open_source
from pointctl.factory.station import Show, Station, Words, tally_of
from pointctl.factory.units import Step, checked_unit, named
from pointctl.options import Json, print_json, print_table
from pointctl.registry import keystore
from pointctl.registry.commands import PRODUCT

app = typer.Typer(no_args_is_help=True, help="The factory line.")

_JobFolder = Annotated[Path, typer.Argument(metavar="JOB", help="The job's folder.")]
# What run and resume have in common.
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
    "plan",
    epilog="Example: pointctl factory plan jobs/A7 --product pk3f9a2c71 --source "
    "server --url https://provision.example.com:8443 --batch A7 --count 500",
)
def factory_plan(
    job: _JobFolder,
    product: Annotated[str, PRODUCT],
    source: Annotated[SourceKind, typer.Option(help="Where keys come from.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="How many units are to be made.")
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="esp32 or quecpython; else whatever comes.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="The batch that units are made in.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Of the server or the cloud.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="PEM, for a server with a CA of its own.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="With --source list: units and their keys.")
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option(envvar="POINTCTL_GIZWITS_PIN", help="With --source gizwits."),
    ] = None,
    repeats_are_free: Annotated[
        bool,
        typer.Option(
            "--repeats-are-free", help="Asking twice costs one key: the sandbox is so."
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Where registry or login keep theirs.", metavar="DIR"),
    ] = None,
    credential_file: Annotated[
        Path | None, typer.Option(help="The station's token, to be kept in the job.")
    ] = None,
    self_test: Annotated[
        SelfTest, typer.Option(help="How far each board has to come by itself.")
    ] = SelfTest.NONE,
    self_test_s: Annotated[int, typer.Option(min=5, help="Within so many s.")] = 120,
    replace_keys: Annotated[
        bool, typer.Option("--replace-keys", help="Also of boards that have one.")
    ] = False,
    labels: Annotated[bool, typer.Option(help="Make a label for each unit.")] = True,
    title: Annotated[str, typer.Option(help="The label's first line.")] = "",
    label_prefix: Annotated[
        str, typer.Option(help="Before the QR's content: a URL with ?")
    ] = "",
    label_mm: Annotated[
        str, typer.Option(metavar="WxH", help="The label's size in mm.")
    ] = "40x20",
    label_dpi: Annotated[int, typer.Option(min=100, help="The printer's.")] = 300,
    label_font: Annotated[
        Path | None, typer.Option(help="TrueType, for a title that is not Latin.")
    ] = None,
    label_template: Annotated[
        Path | None, typer.Option(help="For printers that take text, as ZPL.")
    ] = None,
    label_to: Annotated[
        Path | None, typer.Option(help="A file or a device that each is added to.")
    ] = None,
    label_command: Annotated[
        str | None, typer.Option(help='As "lp -d zebra {file}"; no shell.')
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan a job: what is made, where keys come from, what a label shows.

    The source is asked whether there are enough keys; if not, there is no job.
    """
    width, height = _size(label_mm)
    label = LabelPlan(
        title=title,
        prefix=label_prefix,
        width_mm=width,
        height_mm=height,
        dpi=label_dpi,
        font=_absolute(label_font),
        template=_absolute(label_template),
        to=_absolute(label_to),
        command=tuple(shlex.split(label_command or "")),
    )
    plan = Plan(
        product=product,
        source=source,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        board=board,
        count=count,
        batch=batch,
        url=url,
        ca=_absolute(ca),
        keys=_absolute(keys),
        pin=pin,
        repeats_are_free=repeats_are_free,
        data=_absolute(data),
        self_test=self_test,
        self_test_s=self_test_s,
        replace_keys=replace_keys,
        label=label if labels else None,
    )
    made = Job(job)
    plan = _checked(made, plan, credential_file)
    made.make(plan)
    if as_json:
        print_json({"job": str(job), "plan": json.loads(plan.model_dump_json())})
    else:
        print(f"planned {job}: {count or 'any number of'} units of {product}")


def _checked(job: Job, plan: Plan, credential_file: Path | None) -> Plan:
    """The plan with the source's stock. Raises Refused where that is too small."""
    if plan.label is not None:
        from pointctl.factory.labels import Label, picture

        picture(Label(plan.product, "490154203237518", plan.label))
        if plan.label.template is not None:
            Path(plan.label.template).read_text(encoding="utf-8")
    if job.plan_file.exists():
        raise Refused(f"{job.plan_file} exists; a job has one plan: name another")
    if credential_file is not None:
        found = keystore.Entry(credential_file).read()
        if found is None:
            raise PointctlError(f"{credential_file} is missing")
        if not job.credential.create(found.text):
            job.credential.replace(found.text)
    with open_source(job, plan) as source:
        stocks = source.stocks()
    lefts = [stock.left for stock in stocks]
    if plan.count is not None and None not in lefts:
        left = sum(each for each in lefts if each is not None)
        if stocks and left < plan.count:
            raise Refused(f"{plan.count} units are planned, and {left} keys are left")
    used = sum(stock.used for stock in stocks)
    return plan.model_copy(update={"used_before": used})


@app.command(
    "credential", epilog="Example: pointctl factory credential jobs/A7 --keyring"
)
def factory_credential(
    job: _JobFolder,
    in_keyring: Annotated[
        bool, typer.Option("--keyring", help="In the system's keyring, not a file.")
    ] = False,
) -> None:
    """Ask for the station's token, or the cloud's credential, and keep it."""
    if sys.stdin.isatty():
        text = getpass.getpass("credential, not shown: ")
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise PointctlError("there was none")
    entry = Job(job).credential
    if not entry.create(text.strip() + "\n", in_keyring=in_keyring):
        entry.replace(text.strip() + "\n")
    print(f"kept in {'the keyring' if in_keyring else entry.path}", file=sys.stderr)


@app.command(
    "run", epilog="Example: pointctl factory run jobs/A7 --port esp32=/dev/ttyUSB0"
)
def factory_run(
    job: _JobFolder,
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
    job: _JobFolder,
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
    from pointctl.factory.serial_bench import Bench
    from pointctl.factory.serial_ports import watched

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


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@app.command(
    "report",
    epilog="Example: pointctl factory report jobs/A7 --out A7.xlsx --labels A7.pdf",
)
def factory_report(
    job: _JobFolder,
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


@app.command(
    "batch", epilog="Example: pointctl factory batch jobs/A7 imeis.xlsx --out A7.keys"
)
def factory_batch(
    job: _JobFolder,
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
    from pointctl.factory import batching

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
    job: _JobFolder,
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


def _size(text: str) -> tuple[float, float]:
    try:
        width, height = (float(each) for each in text.lower().split("x"))
    except ValueError:
        raise typer.BadParameter("a label's size is WxH in mm, as 40x20") from None
    return width, height


def _absolute(path: Path | None) -> str | None:
    """Plans are read from anywhere."""
    return None if path is None else str(path.resolve())
