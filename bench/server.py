"""Measure the provisioning server: enrolments a second, fleet sizes, imports.

Everything is real and on this machine, the load generator included: `pointctl serve`
over TLS, SQLite and PostgreSQL with their fsync. docs/performance.md says how each
figure is taken.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.fleet import Fleet, Import
from tests import postgres

DATABASES = {"sqlite": 1, "postgresql": 2}  # and so many processes
CONNECTIONS = (16, 64)
# Enrolments a second at least, and milliseconds of 99 in 100 at most.
FLOORS = {("sqlite", 16): (600, 50), ("postgresql", 64): (800, 150)}
FLAT = 1.5  # a figure of the largest fleet, by that of the smallest


@dataclass(frozen=True)
class Enrolments:
    """First enrolments under load: the median of the rounds."""

    database: str
    processes: int
    connections: int
    per_second: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    bare_per_second: int
    of_bare: float  # the median of the rounds' own
    load: float  # of the machine, by others too

    @property
    def met(self) -> bool | None:
        """Whether the floor is kept, None if there is none."""
        floor = FLOORS.get((self.database, self.connections))
        if floor is None:
            return None
        return self.per_second >= floor[0] and self.p99_ms <= floor[1]


@dataclass(frozen=True)
class Size:
    """What things cost where so many devices are registered."""

    database: str
    devices: int
    enrolment_ms: float  # one board at a time
    look_up_ms: float
    page_ms: float
    count_ms: float  # of an overview
    overview_ms: float  # when it was counted a moment ago


@dataclass
class Figures:
    """All that was measured."""

    enrolments: list[Enrolments] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    server_mb: dict[str, int] = field(default_factory=dict)  # of a process, at most


def main() -> None:
    """Print the tables, or JSON; a missed floor is shown and fails nothing."""
    parser = argparse.ArgumentParser(prog="bench.server", description=__doc__)
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--rounds", type=int, default=3, help="of each load")
    parser.add_argument("--requests", type=int, default=4000, help="in each round")
    parser.add_argument(
        "--import", type=_numbers, default=[10_000, 100_000, 1_000_000], dest="sizes"
    )
    parser.add_argument("--databases", default=",".join(DATABASES))
    options = parser.parse_args()
    figures = Figures()
    for name in options.databases.split(","):
        with _fleet(name) as fleet:
            _measure(figures, fleet, options)
    if options.json:
        print(json.dumps(_as_dict(figures), indent=2))
    else:
        _show(figures)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


@contextmanager
def _fleet(database: str) -> Iterator[Fleet]:
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="pointctl-bench-")
        )
        url = None
        if database == "postgresql":
            url = stack.enter_context(postgres.cluster()).new_database()
        yield Fleet(Path(folder), database, DATABASES[database], url)


def _measure(figures: Figures, fleet: Fleet, options: argparse.Namespace) -> None:
    loads = list(CONNECTIONS)
    needed = 2 * options.rounds * len(loads) * options.requests
    for count in options.sizes:
        figures.imports.append(fleet.add(count))
        with fleet.serving():
            while loads and fleet.registered >= needed:
                connections = loads.pop(0)
                figures.enrolments.append(_enrolments(fleet, connections, options))
            figures.sizes.append(_size(fleet, options.requests))
            figures.server_mb[fleet.database] = fleet.server_mb()


def _enrolments(
    fleet: Fleet, connections: int, options: argparse.Namespace
) -> Enrolments:
    ours, bare = [], []
    for _ in range(options.rounds):  # in turns: a slow moment hits both
        bare.append(fleet.bare_load(connections, options.requests))
        ours.append(fleet.load(connections, options.requests))
    turns = zip(ours, bare, strict=True)
    share = [our.per_second / other.per_second for our, other in turns]
    middle = sorted(ours, key=lambda load: load.per_second)[len(ours) // 2]
    return Enrolments(
        fleet.database,
        fleet.processes,
        connections,
        middle.per_second,
        middle.percentile(50),
        middle.percentile(99),
        middle.percentile(100),
        round(median(load.per_second for load in bare)),
        round(median(share), 2),
        round(os.getloadavg()[0], 1),
    )


def _size(fleet: Fleet, requests: int) -> Size:
    return Size(
        fleet.database,
        fleet.registered,
        fleet.load(1, min(300, requests)).percentile(50),
        fleet.look_up_ms(),
        fleet.page_ms(),
        *fleet.overview_ms(),
    )


def _as_dict(figures: Figures) -> dict[str, Any]:
    found = asdict(figures)
    for row, each in zip(found["enrolments"], figures.enrolments, strict=True):
        row.update(met=each.met)
    for row, done in zip(found["imports"], figures.imports, strict=True):
        row.update(rows_per_second=done.rows_per_second)
    return found


def _show(figures: Figures) -> None:
    console = Console(highlight=False)
    table = Table(title="first enrolments, version 2, sealed and on disk")
    for name in ("database", "connections", "per second", "p50 ms", "p99 ms", "max ms"):
        table.add_column(name, justify="right")
    for name in ("a bare endpoint", "of it", "floor", "load"):
        table.add_column(name, justify="right")
    for row in figures.enrolments:
        floor = FLOORS.get((row.database, row.connections))
        verdict = "" if row.met is None else "met" if row.met else "MISSED"
        table.add_row(
            f"{row.database}, {row.processes}",
            *map(str, (row.connections, row.per_second, row.p50_ms, row.p99_ms)),
            *map(str, (row.max_ms, row.bare_per_second, row.of_bare)),
            f"{floor[0]}/s, {floor[1]} ms {verdict}" if floor else "",
            str(row.load),
        )
    console.print(table)
    table = Table(title="milliseconds, by the number of registered devices")
    for name in ("database", "devices", "enrolment", "look-up", "list page"):
        table.add_column(name, justify="right")
    for name in ("counting all", "overview"):
        table.add_column(name, justify="right")
    for size in figures.sizes:
        table.add_row(
            *map(str, (size.database, f"{size.devices:,}", size.enrolment_ms)),
            *map(str, (size.look_up_ms, size.page_ms)),
            *map(str, (size.count_ms, size.overview_ms)),
        )
    console.print(table)
    table = Table(title="imports")
    for name in ("database", "rows", "rows per second", "peak MB"):
        table.add_column(name, justify="right")
    for done in figures.imports:
        cells = f"{done.rows:,}", f"{done.rows_per_second:,}", str(done.peak_mb)
        table.add_row(done.database, *cells)
    console.print(table)
    for database, megabytes in figures.server_mb.items():
        console.print(f"a process of the server on {database}: {megabytes} MB at most")


if __name__ == "__main__":
    main()
