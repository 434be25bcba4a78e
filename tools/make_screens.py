"""Draw the factory's screens for docs/factory.md: docs/images/factory-*.svg.

What is drawn is what a terminal shows; the boards are made up.
"""

import io
import re
import time
from pathlib import Path

from rich.console import Console

from pointctl.factory.domain.job import Plan, SourceKind
from pointctl.factory.domain.units import Reason
from pointctl.factory.station.display import LiveTable
from pointctl.factory.station.line import TurnOutcome, TurnResult
from pointctl.factory.station.tally import Tally

IMAGES = Path(__file__).resolve().parents[1] / "docs/images"
_IMEIS = (
    "866123450000016",
    "866123450000024",
    "866123450000032",
    "866123450000040",
    "866123450000057",
)


def station() -> str:
    """The live table in the middle of a shift."""
    plan = Plan(
        product="pk3f9a2c71",
        source=SourceKind.SERVER,
        made_at="2026-11-22T08:00:00+00:00",
        count=500,
        batch="A7",
    )
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    ports = [f"/dev/ttyUSB{n}" for n in range(6)]
    table = LiveTable(plan, console, ports)
    table.show_result(ports[0], TurnResult(TurnOutcome.PASSED, _IMEIS[0]), 4)
    table.show_status(ports[1], f"{_IMEIS[1]} burning")
    failed = TurnResult(TurnOutcome.FAILED, _IMEIS[2], Reason.UNPLUGGED, "")
    table.show_result(ports[2], failed, 2)
    refused = TurnResult(TurnOutcome.REFUSED, _IMEIS[3], Reason.WRONG_PRODUCT, "")
    table.show_result(ports[3], refused, 2)
    table.show_result(ports[4], TurnResult(TurnOutcome.ALREADY, _IMEIS[4]), 2)
    console.print(table.render(_tally()))
    drawn = console.export_svg(title="pointctl factory run jobs/A7", unique_id="a")
    # A reader's own font does as well as one from a stranger's host.
    return re.sub(r"\s*@font-face \{.*?\n    \}", "", drawn, flags=re.S)


def _tally() -> Tally:
    """Half an hour of work."""
    tally = Tally(started=time.monotonic() - 1800, before=120)
    for number in range(58):
        tally.add(TurnResult(TurnOutcome.PASSED, f"done {number}"))
    for number in range(3):
        failed = TurnResult(TurnOutcome.FAILED, f"not {number}", Reason.UNPLUGGED, "")
        tally.add(failed)
    return tally


def main() -> None:
    """Write what has changed."""
    path = IMAGES / "factory-station.svg"
    made = station()
    if not path.exists() or path.read_text(encoding="utf-8") != made:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
