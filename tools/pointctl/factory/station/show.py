"""What an operator sees: a live table at a terminal, else lines, or JSON.

Big words and colours are for eyes two metres away; every colour has its word.
"""

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pointctl.factory.domain.job import Plan
from pointctl.factory.domain.units import WHAT_TO_DO
from pointctl.factory.station.line import Outcome, Result
from pointctl.factory.station.station import Tally

_WORDS = {
    Outcome.PASSED: ("PASS", "bold white on green"),
    Outcome.ALREADY: ("PASS, was done before", "bold white on blue"),
    Outcome.FAILED: ("FAIL", "bold white on red"),
    Outcome.REFUSED: ("STOP, set aside", "bold black on yellow"),
}
_WORKING = "bold cyan"
_WIDEST_PORT = 16  # names as of /dev/serial/by-id would leave no room for the words


class Lines:
    """A line for each turn that has ended, and what to do where it did not succeed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begun(self, tally: Tally) -> None:
        """Say so."""
        print(f"{tally.before} done; plug boards in", file=self._out, flush=True)

    def at(self, port: str, words: str) -> None:
        """Nothing: the turn's end is what counts."""

    def ended(self, port: str, result: Result, seconds: float) -> None:
        """One line, or two."""
        word = _WORDS[result.outcome][0]
        why = f"  {result.reason}: {result.text}" if result.reason else ""
        unit = result.unit or "-"
        print(f"{port}  {unit}  {word}  {seconds:.1f} s{why}", file=self._out)
        if result.reason:
            print(f"  -> {WHAT_TO_DO[result.reason]}", file=self._out)
        self._out.flush()

    def tick(self, tally: Tally) -> None:
        """Nothing."""


class JsonLines:
    """An event in each line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begun(self, tally: Tally) -> None:
        """Say so; programs may plug boards in before."""
        self._tell({"event": "begun", "done": tally.before})

    def at(self, port: str, words: str) -> None:
        """What a port is doing; words that are empty: its board was taken out."""
        self._tell({"event": "at", "port": port, "words": words})

    def ended(self, port: str, result: Result, seconds: float) -> None:
        """A board's turn has ended."""
        told: dict[str, Any] = {"event": "ended", "port": port, "unit": result.unit}
        told |= {"outcome": result.outcome.value, "seconds": round(seconds, 1)}
        if result.reason:
            told |= {"reason": result.reason.value, "text": result.text}
            told["todo"] = WHAT_TO_DO[result.reason]
        self._tell(told)

    def tick(self, tally: Tally) -> None:
        """Nothing."""

    def _tell(self, told: dict[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"at": at, **told}), file=self._out, flush=True)


class LiveTable:
    """One row a port, and how the shift goes; a bell at the end of each turn."""

    def __init__(self, plan: Plan, console: Console, ports: Iterable[str] = ()) -> None:
        self._plan = plan
        self._console = console
        self._rows: dict[str, tuple[str, Text, str]] = {
            port: ("", Text("plug a board in", "dim"), "") for port in ports
        }
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._shown = 0.0

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def begun(self, tally: Tally) -> None:
        """The empty table."""
        self.tick(tally)

    def at(self, port: str, words: str) -> None:
        """What a port is doing."""
        if words:
            unit = self._rows.get(port, ("",))[0] if words != "looking" else ""
            number, _, rest = words.partition(" ")
            if number.isalnum() and len(number) in (12, 15):
                unit, words = number, rest
            self._rows[port] = (unit, Text(words, _WORKING), "")
        else:
            self._rows[port] = ("", Text("plug a board in", "dim"), "")

    def ended(self, port: str, result: Result, seconds: float) -> None:
        """The big word, and what to do."""
        word, style = _WORDS[result.outcome]
        note = f"{seconds:.0f} s"
        if result.reason:
            note = f"{result.reason}: {WHAT_TO_DO[result.reason]}"
        self._rows[port] = (result.unit or "?", Text(f" {word} ", style), note)
        self._console.bell()

    def tick(self, tally: Tally) -> None:
        """Show it, a few times a second."""
        now = time.monotonic()
        if now - self._shown > 0.2:
            self._shown = now
            self._live.update(self.picture(tally), refresh=True)

    def picture(self, tally: Tally) -> RenderableType:
        """What is on the screen."""
        table = Table(expand=True, show_lines=True, header_style="bold")
        table.add_column("port", no_wrap=True)
        table.add_column("unit", no_wrap=True, min_width=15)
        table.add_column("result", no_wrap=True, min_width=24)
        table.add_column("what to do", ratio=1)
        for port in sorted(self._rows):
            unit, word, note = self._rows[port]
            name = port.rpartition("/")[2][-_WIDEST_PORT:]
            table.add_row(escape(name), unit, Align.center(word), escape(note))
        return Group(self._head(tally), table, self._foot(tally))

    def _head(self, tally: Tally) -> RenderableType:
        plan, done = self._plan, tally.before + tally.passed
        of = f" of {plan.count}" if plan.count else ""
        where = f", batch {plan.batch}" if plan.batch else ""
        left = Text(f"{plan.product}{where}", "bold")
        right = Text(f"{done}{of} done", "bold green")
        grid = Table.grid(expand=True)
        grid.add_column()
        grid.add_column(justify="right")
        grid.add_row(left, right)
        return Panel(grid)

    def _foot(self, tally: Tally) -> RenderableType:
        first = tally.first_yield
        words = [f"this shift {tally.passed}", f"{tally.per_hour:.0f} an hour"]
        words.append("yield -" if first is None else f"yield {first:.0%} first time")
        words.append(f"not done {tally.not_done}")
        if worst := tally.worst():
            words.append(f"mostly: {worst[0]} ({worst[1]})")
        return Text("  |  ".join(words))
