"""make faults-server: what can happen to the server, and a table of what came of it.

usage: python -m tests.faults.server [--seed N] [--slice] [--json]

Thousands of requests for one IMEI at once, and kill -9 of the server, of one of its
workers, of a PostgreSQL backend and of PostgreSQL itself, while boards enrol. Within
ten minutes on two cores. docs/performance.md says what counts as an error.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial

from rich.console import Console

from tests import postgres
from tests.faults import served_kills, served_race
from tests.faults.__main__ import finished, table
from tests.faults.bench import Row, timed
from tests.faults.served_site import KEYED, OPEN, Site, site


@dataclass(frozen=True)
class SetUp:
    """What serves, and how often each of its parts is killed."""

    on_sqlite: bool
    servers: int = 1
    workers: int = 1  # of each server
    kills: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For the table."""
        count = self.workers * self.servers
        processes = "1 process" if count == 1 else f"{count} processes"
        return f"{'SQLite' if self.on_sqlite else 'PostgreSQL'}, {processes}"


@dataclass(frozen=True)
class Amounts:
    """How much of all."""

    requests: int
    boards: int
    set_ups: tuple[SetUp, ...]


ALL = Amounts(
    requests=10_000,
    boards=50_000,
    set_ups=(
        SetUp(on_sqlite=True, kills={"server": 22}),
        SetUp(on_sqlite=True, servers=2),  # of one worker: SQLite is for no more
        SetUp(on_sqlite=False),
        SetUp(
            on_sqlite=False,
            workers=2,
            kills={"worker": 12, "backend": 15, "postmaster": 5},
        ),
    ),
)
SLICE = Amounts(
    requests=300,
    boards=3_000,
    set_ups=(
        SetUp(on_sqlite=True, kills={"server": 3}),
        SetUp(
            on_sqlite=False,
            workers=2,
            kills={"worker": 1, "backend": 3, "postmaster": 1},
        ),
    ),
)


def run(seed: int, amounts: Amounts) -> Iterator[Row]:
    """All rows, with a PostgreSQL of their own that keeps its fsync."""
    with postgres.cluster() as cluster:
        for each in amounts.set_ups:
            on = None if each.on_sqlite else cluster
            with site(amounts.boards, on) as made:
                made.serve(workers=each.workers, servers=each.servers)
                for job in _jobs(made, each, seed, amounts):
                    yield finished(job)


def _jobs(
    made: Site, set_up: SetUp, seed: int, amounts: Amounts
) -> Iterator[Callable[[], Row]]:
    for product, kind in ((KEYED, "sealed"), (OPEN, "version 1")):
        name = f"one IMEI, {kind}: {set_up.name}"
        race = partial(served_race.run, product=product, requests=amounts.requests)
        yield partial(_row, name, race, made, seed)
    for what, times in set_up.kills.items():
        kill: served_kills.Kill = getattr(made, f"kill_{what}")
        name = f"kill -9 of the {what}: {set_up.name}"
        yield partial(
            _row, name, partial(served_kills.run, kill=kill, times=times), made, seed
        )


def _row(name: str, fault: Callable[..., None], made: Site, seed: int) -> Row:
    with timed(name) as row:
        fault(made, row, random.Random(seed))
    return row


def main() -> int:
    """1 if anything is bad."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.server", description="Faults of a real server."
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--slice", action="store_true", help="a little of each")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    begun = time.monotonic()
    rows = list(run(options.seed, SLICE if options.slice else ALL))
    seconds = time.monotonic() - begun
    if options.json:
        found = {"seed": options.seed, "seconds": round(seconds, 1)}
        print(json.dumps({**found, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        console = Console(highlight=False)
        console.print(table(rows, seconds, "make faults-server"))
        for row in rows:
            for failure in row.failures:
                console.print(f"{row.suite}: {failure}", markup=False, soft_wrap=True)
        print(f"seed {options.seed}")
    return 1 if any(row.bad for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
