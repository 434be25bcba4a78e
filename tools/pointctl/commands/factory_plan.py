"""pointctl factory plan and credential: what is made, and who may ask for it."""

import getpass
import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pointctl.commands.factory_options import JobFolder
from pointctl.commands.options import PRODUCT, Json, print_json
from pointctl.errors import PointctlError, Refused
from pointctl.factory.domain.job import Job, LabelPlan, Plan, SelfTest, SourceKind
from pointctl.factory.sources.open_source import open_source
from pointctl.registry.storage import keystore

app = typer.Typer()


@app.command(
    "plan",
    epilog="Example: pointctl factory plan jobs/A7 --product pk3f9a2c71 --source "
    "server --url https://provision.example.com:8443 --batch A7 --count 500",
)
def factory_plan(
    job: JobFolder,
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
        from pointctl.factory.output.labels import Label, picture

        picture(Label(plan.product, "490154203237518", plan.label))
        if plan.label.template is not None:
            Path(plan.label.template).read_text(encoding="utf-8")
    if job.plan_file.exists():
        raise Refused(f"{job.plan_file} exists; a job has one plan: name another")
    if credential_file is not None:
        found = keystore.SecretEntry(credential_file).read()
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
    job: JobFolder,
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


def _size(text: str) -> tuple[float, float]:
    try:
        width, height = (float(each) for each in text.lower().split("x"))
    except ValueError:
        raise typer.BadParameter("a label's size is WxH in mm, as 40x20") from None
    return width, height


def _absolute(path: Path | None) -> str | None:
    """Plans are read from anywhere."""
    return None if path is None else str(path.resolve())
