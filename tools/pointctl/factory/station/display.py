"""Displays for the operator: a live table in a terminal, plain lines, or JSON.

Big words and colours can be read from two metres away; every colour has its own word.
"""

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pointctl.factory.domain.job import Plan
from pointctl.factory.domain.units import WHAT_TO_DO
from pointctl.factory.station.line import TurnOutcome, TurnResult
from pointctl.factory.station.station import LOOKING
from pointctl.factory.station.tally import Tally

_WORDS = {
    TurnOutcome.PASSED: ("PASS", "bold white on green"),
    TurnOutcome.ALREADY: ("PASS, was done before", "bold white on blue"),
    TurnOutcome.FAILED: ("FAIL", "bold white on red"),
    TurnOutcome.REFUSED: ("STOP, set aside", "bold black on yellow"),
}
_WORKING_STYLE = "bold cyan"
_WIDEST_PORT = 16  # long names of /dev/serial/by-id would leave no room for the rest


class Lines:
    """Prints a line for each turn, and what to do if it did not succeed."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show_start(self, tally: Tally) -> None:
        """Print how many units are done."""
        print(f"{tally.before} done; plug boards in", file=self._out, flush=True)

    def show_status(self, port: str, text: str) -> None:
        """Print nothing: only results are printed."""

    def show_result(self, port: str, result: TurnResult, seconds: float) -> None:
        """Print one line, or two."""
        word = _WORDS[result.outcome][0]
        why = f"  {result.reason}: {result.text}" if result.reason else ""
        unit = result.unit or "-"
        print(f"{port}  {unit}  {word}  {seconds:.1f} s{why}", file=self._out)
        if result.reason:
            print(f"  -> {WHAT_TO_DO[result.reason]}", file=self._out)
        self._out.flush()

    def refresh(self, tally: Tally) -> None:
        """Print nothing."""


class JsonLines:
    """Prints each event as a line of JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show_start(self, tally: Tally) -> None:
        """Print that the station accepts boards; some may be plugged in already."""
        self._print(event="begun", done=tally.before)

    def show_status(self, port: str, text: str) -> None:
        """Print what happens at a port; an empty text: its board was taken out."""
        self._print(event="at", port=port, words=text)

    def show_result(self, port: str, result: TurnResult, seconds: float) -> None:
        """Print the result of a turn."""
        failure = {}
        if result.reason:
            failure = {
                "reason": result.reason.value,
                "text": result.text,
                "todo": WHAT_TO_DO[result.reason],
            }
        self._print(
            event="ended",
            port=port,
            unit=result.unit,
            outcome=result.outcome.value,
            seconds=round(seconds, 1),
            **failure,
        )

    def refresh(self, tally: Tally) -> None:
        """Print nothing."""

    def _print(self, **members: object) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"at": at, **members}), file=self._out, flush=True)


class _Row(NamedTuple):
    unit: str
    result: Text
    note: str = ""


_EMPTY_ROW = _Row("", Text("plug a board in", "dim"))


class LiveTable:
    """A row for each port, and the shift's figures; rings a bell after each turn."""

    def __init__(self, plan: Plan, console: Console, ports: Iterable[str] = ()) -> None:
        self._plan = plan
        self._console = console
        self._rows = dict.fromkeys(ports, _EMPTY_ROW)
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._refreshed_at = 0.0

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show_start(self, tally: Tally) -> None:
        """Show the empty table."""
        self.refresh(tally)

    def show_status(self, port: str, text: str) -> None:
        """Show what happens at a port."""
        if not text:
            self._rows[port] = _EMPTY_ROW
            return
        row = self._rows.get(port, _EMPTY_ROW)
        unit = row.unit if text != LOOKING else ""
        number, _, rest = text.partition(" ")
        if number.isalnum() and len(number) in (12, 15):
            unit, text = number, rest
        self._rows[port] = _Row(unit, Text(text, _WORKING_STYLE))

    def show_result(self, port: str, result: TurnResult, seconds: float) -> None:
        """Show the big word, and what to do."""
        word, style = _WORDS[result.outcome]
        note = f"{seconds:.0f} s"
        if result.reason:
            note = f"{result.reason}: {WHAT_TO_DO[result.reason]}"
        self._rows[port] = _Row(result.unit or "?", Text(f" {word} ", style), note)
        self._console.bell()

    def refresh(self, tally: Tally) -> None:
        """Redraw the table, at most five times a second."""
        now = time.monotonic()
        if now - self._refreshed_at > 0.2:
            self._refreshed_at = now
            self._live.update(self.render(tally), refresh=True)

    def render(self, tally: Tally) -> RenderableType:
        """Return the content of the screen."""
        table = Table(expand=True, show_lines=True, header_style="bold")
        table.add_column("port", no_wrap=True)
        table.add_column("unit", no_wrap=True, min_width=15)
        table.add_column("result", no_wrap=True, min_width=24)
        table.add_column("what to do", ratio=1)
        for port in sorted(self._rows):
            row = self._rows[port]
            name = port.rpartition("/")[2][-_WIDEST_PORT:]
            table.add_row(
                escape(name), row.unit, Align.center(row.result), escape(row.note)
            )
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
