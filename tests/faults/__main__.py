"""make faults: everything that can happen to a board, and a table of what came of it.

usage: python -m tests.faults [--seed N] [--only SUITE,SUITE] [--slice]
"""

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from tests.faults import (
    answers,
    clocks,
    damage,
    deploy,
    memory,
    network,
    powercut,
    reboots,
)
from tests.faults.bench import Row

SUITES = {
    "powercut": powercut.suites,
    "damage": damage.suites,
    "answers": answers.suites,
    "network": network.suites,
    "memory": memory.suites,
    "clocks": clocks.suites,
    "reboots": reboots.suites,
    "deploy": deploy.suites,
}
WORKERS = 2


def finished(job: Callable[[], Row]) -> Row:
    """The job's row; a job that breaks down is a failure like any other."""
    try:
        row = job()
    except Exception:
        row = Row("a suite broke down", 0, 1, "", 0, [traceback.format_exc()])
    told = f"{row.suite}: {row.bad} bad of {row.cases:,}"
    print(told, file=sys.stderr, flush=True)
    return row


def run(names: list[str], seed: int, short: bool) -> list[Row]:
    """The rows of the suites of these names, in order."""
    jobs: list[Callable[[], Row]] = []
    for name in names:
        jobs += SUITES[name](seed, short)
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(finished, jobs))


def table(rows: list[Row], seconds: float, title: str = "make faults") -> Table:
    """What came of it, for people."""
    result = Table("suite", "cases", "bad", "seconds", "found", title=title)
    for column in (1, 2, 3):
        result.columns[column].justify = "right"
    for row in rows:
        cells = (f"{row.cases:,}", str(row.bad), f"{row.seconds:.1f}", row.note)
        result.add_row(row.suite, *cells)
    result.add_section()
    cases, bad = sum(row.cases for row in rows), sum(row.bad for row in rows)
    result.add_row("all", f"{cases:,}", str(bad), f"{seconds:.1f}", "")
    return result


def main() -> int:
    """1 if anything is bad."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Faults, on the real MicroPython."
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--only", default=",".join(SUITES), help="suites, by comma")
    parser.add_argument("--slice", action="store_true", help="a little of each")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := set(names) - set(SUITES):
        parser.error(f"no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    print(f"seed {options.seed}", flush=True)
    begun = time.monotonic()
    rows = run(names, options.seed, options.slice)
    console = Console(highlight=False)
    console.print(table(rows, time.monotonic() - begun))
    for row in rows:
        for failure in row.failures:
            console.print(f"{row.suite}: {failure}", markup=False, soft_wrap=True)
    print(f"seed {options.seed}")
    return 1 if any(row.bad for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
