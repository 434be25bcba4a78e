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

from pointctl.commands.options import Json, print_json
from pointctl.errors import PointctlError
from pointctl.folder import DATABASE

if TYPE_CHECKING:
    from pointctl.demo.scenario import DemoOutcome

NEXT = """
Next: a server of your own. README.md goes on at "Run the server":
  pointctl ca init --name localhost --name 127.0.0.1
After make demo, pointctl is in .venv/bin."""

app = typer.Typer()


class DemoSource(StrEnum):
    """Where the demo's boards get their credentials."""

    ACCESS = "access"
    GIZWITS = "gizwits"


_NEXT = {
    DemoSource.ACCESS: "put it on a board, docs/boards/deploying.md",
    DemoSource.GIZWITS: "use the sandbox yourself, docs/gizwits.md",
}


@app.command(epilog="Example: pointctl demo --json")
def demo(
    source: Annotated[
        DemoSource,
        typer.Option(help="The provisioning server, or a sandbox of Gizwits."),
    ] = DemoSource.ACCESS,
    as_json: Json = False,
) -> None:
    """Watch a board provision, connect, and come back from flash; no hardware needed.

    Everything is real: MicroPython runs the board's own files, the provisioning server
    and the MQTT broker are processes of their own, and TLS is verified throughout.
    """
    # Loaded here: only this command needs all of it.
    from pointctl.demo import scenario
    from pointctl.demo.system import System
    from pointctl.demo.timeline import Timeline

    for name in (DATABASE, "POINTCTL_SANDBOX_DATABASE"):
        os.environ.pop(name, None)  # the demo has databases of its own
    # SIGTERM, too, must end the processes that the demo started.
    signal.signal(signal.SIGTERM, _end)
    console = None if as_json else Console(highlight=False)
    kind = System
    if source is DemoSource.GIZWITS:
        from pointctl.demo.gizwits import GizwitsSystem

        kind = GizwitsSystem
    outcome = scenario.play(Timeline(console), kind)
    if console:
        console.rule("[bold]Summary", align="left")
        console.print(summary(outcome))
        console.print(f"\nNext: {_NEXT[source]}")
    else:
        print_json(outcome.as_dict())
    if not outcome.ok:
        raise PointctlError("the demo did not go as it should; see the events above")
    if console:
        console.print(NEXT, soft_wrap=True)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(1)


def summary(outcome: "DemoOutcome") -> Table:
    """What each boot came to, in the 80 columns of a small terminal."""
    table = Table(
        box=None,
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
