"""pointctl factory plan and credential: make a job, and store its credential."""

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
from pointctl.factory.sources.source import total_left
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
    source: Annotated[SourceKind, typer.Option(help="The source of keys.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="How many units to make.")
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="esp32 or quecpython; default: any.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="The batch to register units in.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="The URL of the server or the cloud.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file with the CA of the server.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="For --source list: a file of units and keys.")
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option(
            envvar="POINTCTL_GIZWITS_PIN", help="For --source gizwits: the customer."
        ),
    ] = None,
    repeats_are_free: Annotated[
        bool,
        typer.Option(
            "--repeats-are-free",
            help="Asking twice for a unit costs one key, as in the sandbox.",
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of the registry or the login.", metavar="DIR"),
    ] = None,
    credential_file: Annotated[
        Path | None,
        typer.Option(help="A file with the station's token, to copy into the job."),
    ] = None,
    self_test: Annotated[
        SelfTest, typer.Option(help="What each board has to reach by itself.")
    ] = SelfTest.NONE,
    self_test_s: Annotated[
        int, typer.Option(min=5, help="Seconds for the self-test.")
    ] = 120,
    replace_keys: Annotated[
        bool,
        typer.Option(
            "--replace-keys", help="Also replace keys that are not of this job."
        ),
    ] = False,
    labels: Annotated[bool, typer.Option(help="Make a label for each unit.")] = True,
    title: Annotated[str, typer.Option(help="The label's first line.")] = "",
    label_prefix: Annotated[
        str, typer.Option(help="Text in front of the QR code's content: a URL with ?")
    ] = "",
    label_mm: Annotated[
        str, typer.Option(metavar="WxH", help="The label's size in mm.")
    ] = "40x20",
    label_dpi: Annotated[
        int, typer.Option(min=100, help="The resolution of the printer.")
    ] = 300,
    label_font: Annotated[
        Path | None,
        typer.Option(help="A TrueType file, for a title that is not Latin."),
    ] = None,
    label_template: Annotated[
        Path | None, typer.Option(help="A file in the printer's language, as ZPL.")
    ] = None,
    label_to: Annotated[
        Path | None, typer.Option(help="A file or a device to append each label to.")
    ] = None,
    label_command: Annotated[
        str | None,
        typer.Option(help='Prints a label, as "lp -d zebra {file}"; without a shell.'),
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan a job: what to make, the source of keys, and what a label shows.

    Asks the source whether it has enough keys; if not, no job is made.
    """
    width, height = _parse_size(label_mm)
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
    new_job = Job(job)
    if plan.label is not None:
        _check_label(plan.product, plan.label)
    _store_credential(new_job, credential_file)
    plan = _check_stock(new_job, plan)
    new_job.make(plan)
    if as_json:
        print_json({"job": str(job), "plan": json.loads(plan.model_dump_json())})
    else:
        print(f"planned {job}: {count or 'any number of'} units of {product}")


def _check_label(product: str, plan: LabelPlan) -> None:
    """Draw a label. Raises PointctlError if no reader could read it."""
    from pointctl.factory.output.labels import Label, draw

    draw(Label(product, "490154203237518", plan))
    if plan.template is not None:
        Path(plan.template).read_text(encoding="utf-8")


def _store_credential(job: Job, file: Path | None) -> None:
    """Copy the credential into a new job. Raises Refused if the job exists."""
    if job.plan_file.exists():
        raise Refused(
            f"{job.plan_file} exists, and a job has one plan; name another folder"
        )
    if file is None:
        return
    found = keystore.SecretEntry(file).read()
    if found is None:
        raise PointctlError(f"{file} is missing; name the file with the token")
    if not job.credential.create(found.text):
        job.credential.replace(found.text)


def _check_stock(job: Job, plan: Plan) -> Plan:
    """Return the plan with the number of keys that the source has given before.

    Raises Refused if too few keys are left.
    """
    with open_source(job, plan) as source:
        stocks = source.stocks()
    left = total_left(stocks)
    if stocks and plan.count is not None and left is not None and left < plan.count:
        raise Refused(
            f"{plan.count} units are planned, and {left} keys are left: order more, or "
            "plan fewer units"
        )
    return plan.model_copy(update={"used_before": sum(stock.used for stock in stocks)})


@app.command(
    "credential", epilog="Example: pointctl factory credential jobs/A7 --keyring"
)
def factory_credential(
    job: JobFolder,
    in_keyring: Annotated[
        bool,
        typer.Option(
            "--keyring", help="Store it in the system's keyring, not in a file."
        ),
    ] = False,
) -> None:
    """Read the station's token from the terminal or stdin, and store it."""
    if sys.stdin.isatty():
        text = getpass.getpass("credential, not shown: ")
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise PointctlError("the credential is empty: type it, or write it to stdin")
    entry = Job(job).credential
    if not entry.create(text.strip() + "\n", in_keyring=in_keyring):
        entry.replace(text.strip() + "\n")
    print(f"stored in {'the keyring' if in_keyring else entry.path}", file=sys.stderr)


def _parse_size(text: str) -> tuple[float, float]:
    try:
        width, height = (float(each) for each in text.lower().split("x"))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a label's size: give WxH in mm, as 40x20"
        ) from None
    return width, height


def _absolute(path: Path | None) -> str | None:
    """Return the absolute path: a plan is read from any folder."""
    return None if path is None else str(path.resolve())
