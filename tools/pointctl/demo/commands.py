"""pointctl demo"""

import os
import signal
import sys
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from pointctl.errors import PointctlError
from pointctl.options import DATABASE, Json, print_json

if TYPE_CHECKING:
    from pointctl.demo.scenario import Outcome

NEXT = """
Next: a server of your own. README.md goes on at "Run the server":
  pointctl ca init --name localhost --name 127.0.0.1
After make demo, pointctl is in .venv/bin."""

app = typer.Typer()


class Source(StrEnum):
    """Where the demo's boards get their credentials."""

    ACCESS = "access"
    GIZWITS = "gizwits"


@app.command(epilog="Example: pointctl demo --json")
def demo(
    source: Annotated[
        Source, typer.Option(help="The provisioning server, or a sandbox of Gizwits.")
    ] = Source.ACCESS,
    as_json: Json = False,
) -> None:
    """Watch a board provision, connect, and come back from flash; no hardware needed.

    Everything is real: MicroPython runs the board's own files, the provisioning server
    and the MQTT broker are processes of their own, and TLS is verified throughout.
    """
    # Only this command needs all the rooms at once.
    from pointctl.demo import scenario
    from pointctl.demo.stage import Stage
    from pointctl.demo.timeline import Timeline

    os.environ.pop(DATABASE, None)  # what it registers is not for the operator's own
    # Told to end, the demo still has to end what it started.
    signal.signal(signal.SIGTERM, _end)
    console = None if as_json else Console(highlight=False)
    kind = Stage
    if source is Source.GIZWITS:
        from pointctl.demo.gizwits import GizwitsStage

        kind = GizwitsStage
    outcome = scenario.play(Timeline(console), kind)
    if console:
        console.rule("[bold]Summary", align="left")
        console.print(summary(outcome))
    else:
        print_json(outcome.as_dict())
    if not outcome.ok:
        raise PointctlError("the demo did not show what it should; see above")
    if console:
        console.print(NEXT, soft_wrap=True)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(1)


def summary(outcome: "Outcome") -> Table:
    """What each boot came to, in the 80 columns of a small terminal."""
    table = Table(
        title=f"{outcome.runtime}, {outcome.heap_bytes // 1024} KB heap, "
        f"{outcome.broker}, IMEI {outcome.imei}",
        title_justify="left",
    )
    for name in ("boot", "code", "from", "requests"):
        table.add_column(name)
    for name in ("fetched", "MQTT", "sent", "received"):
        table.add_column(name, justify="right")
    for number, boot in enumerate(outcome.boots, 1):
        row = (
            boot.code,
            boot.source,
            boot.provision_requests,
            f"{boot.fetched_ms} ms",
            f"{boot.connected_ms} ms",
            boot.published,
            boot.received,
        )
        table.add_row(str(number), *map(str, row))
    return table
