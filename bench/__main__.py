"""Measure what point/ costs, against the budgets and beside the seed's own snippet.

Everything is real and on loopback: MicroPython's unix port with .mpy files, a
`pointctl serve` process and mosquitto, TLS by EC certificates. docs/performance.md
says how each figure is taken.
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import report
from bench.scenarios import Scenarios
from bench.services import POLICIES, running


def main() -> None:
    """Print the table, or JSON; a missed budget is shown and fails nothing."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--rounds", type=int, default=20, help="timed runs of each")
    parser.add_argument("--heap-runs", type=int, default=10, help="0: no heap search")
    parser.add_argument("--policy", choices=POLICIES, default=POLICIES[0])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pointaccess-bench-") as name:
        folder = Path(name)
        with running(folder / "data", options.policy) as services:
            scenarios = Scenarios(folder, services)
            figures = report.figures(scenarios, options.rounds, options.heap_runs)
    if options.json:
        rows = [asdict(figure) | {"met": figure.met} for figure in figures]
        print(json.dumps({"policy": options.policy, "figures": rows}, indent=2))
    else:
        Console(highlight=False).print(_table(figures, options))


def _table(figures: list[report.Figure], options: argparse.Namespace) -> Table:
    title = (
        f"policy {options.policy}, TLS verified; milliseconds: medians of "
        f"{options.rounds} (least-most); heap: works {options.heap_runs} times in a row"
    )
    table = Table("what", title=title, title_justify="left")
    for name in ("point", "budget", "", "seed"):
        table.add_column(name, justify="right")
    for figure in figures:
        verdict = "" if figure.met is None else "met" if figure.met else "MISSED"
        budget = "" if figure.budget is None else f"{figure.budget:,g}"
        seed = "" if figure.seed is None else f"{figure.seed:,}"
        unit = f"{figure.what}, {figure.unit}"
        table.add_row(unit, figure.shown, budget, verdict, seed)
    return table


if __name__ == "__main__":
    main()
