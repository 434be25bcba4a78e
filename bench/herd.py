"""A herd of boards that wake at once, against a server that takes so many a second.

The waits are point.flow's own, under a simulated clock; beside them the two schedules
that firmware usually has. A request that finds the server full is refused at once and
costs the board its next wait.
"""

import argparse
import heapq
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from point import flow

Random = random.Random
# (failed attempt from 0, the source of chance, retryAfter or 0) -> seconds to wait
Wait = Callable[[int, Random, int], float]


def ours(attempt: int, chance: Random, retry_after_s: int) -> float:
    """What point/provision.py waits."""
    return flow.backoff_ms(attempt, chance.randbytes(2), retry_after_s) / 1000


def fixed(attempt: int, chance: Random, retry_after_s: int) -> float:
    """Every 5 seconds."""
    return 5


def plain(attempt: int, chance: Random, retry_after_s: int) -> float:
    """Doubling from 2 s to half an hour, without jitter."""
    return min(2 << min(attempt, 16), 1800)


@dataclass(frozen=True)
class Schedule:
    """When boards ask: the first time within `spread_s`, then as `wait` says."""

    name: str
    wait: Wait
    spread_s: int = 0
    retry_after_s: int = 0  # what the full server asks for
    jitter: bool = True  # without it, boards that failed together return together


@dataclass(frozen=True)
class Outcome:
    """What one schedule came to; `peak` is the most requests in one second."""

    name: str
    spread_s: int
    requests_per_board: float
    peak: int
    p99_s: float
    all_s: float
    served_s: list[float]  # when 1 %, 2 %, … of the boards were served


def simulate(schedule: Schedule, boards: int, capacity: int, seed: int) -> Outcome:
    """Run it until every board is served."""
    chance = Random(seed)
    # (when, failures so far, how many boards): boards alike need not be told apart.
    due = [
        (flow.random_part(schedule.spread_s * 1000, chance.randbytes(2)) / 1000, 0, 1)
        for _ in range(boards)
    ]
    if not schedule.spread_s:
        due = [(0.0, 0, boards)]
    heapq.heapify(due)
    requests: Counter[int] = Counter()
    room: Counter[int] = Counter()  # the server's, less what is taken
    finished: list[float] = []
    while due:
        now, failed, count = heapq.heappop(due)
        second = int(now)
        requests[second] += count
        served = min(count, capacity + room[second])
        room[second] -= served
        finished += [now] * served
        count -= served
        if schedule.jitter:
            for _ in range(count):
                wait = schedule.wait(failed, chance, schedule.retry_after_s)
                heapq.heappush(due, (now + wait, failed + 1, 1))
        elif count:
            wait = schedule.wait(failed, chance, schedule.retry_after_s)
            heapq.heappush(due, (now + wait, failed + 1, count))
    percents = [
        round(finished[boards * percent // 100 - 1], 1) for percent in range(1, 101)
    ]
    return Outcome(
        schedule.name,
        schedule.spread_s,
        round(sum(requests.values()) / boards, 2),
        max(requests.values()),
        percents[98],
        percents[99],
        percents,
    )


def schedules(boards: int, capacity: int, spread_s: int | None) -> list[Schedule]:
    """Ours, with the spread that the herd's size asks for, and the usual ones."""
    fair = -(-boards // capacity)
    return [
        Schedule("point", ours, fair if spread_s is None else spread_s),
        Schedule("point, default", ours, 60),
        Schedule("point, no spread", ours),
        Schedule("point, retryAfter", ours, 0, fair),
        Schedule("fixed 5 s", fixed, jitter=False),
        Schedule("exponential", plain, jitter=False),
    ]


def table(outcomes: list[Outcome], boards: int, capacity: int) -> Table:
    """For people; `p99 x` is the p99 against N/capacity, the least that is possible."""
    least = boards / capacity
    title = f"{boards:,} boards, server {capacity}/s, N/capacity {least:g} s "
    title += "(aim: 1.5 requests each, p99 x 2)"
    result = Table("schedule", title=title, title_justify="left")
    names = ("spread s", "requests each", "peak/s", "p99 s", "p99 x", "all s")
    for name in names:
        result.add_column(name, justify="right")
    for one in outcomes:
        figures = (one.spread_s, one.requests_per_board, one.peak, one.p99_s)
        cells = [f"{value:,}" for value in figures]
        result.add_row(one.name, *cells, f"{one.p99_s / least:.2f}", f"{one.all_s:,}")
    return result


def plot(outcomes: list[Outcome], boards: int, file: Path) -> None:
    """The share of boards served over time, one line a schedule, as PNG or SVG."""
    from matplotlib.figure import Figure  # a second to load, for this option alone

    axes = (figure := Figure(figsize=(8, 4.5), layout="constrained")).subplots()
    for one in outcomes:
        axes.plot([max(s, 1) for s in one.served_s], range(1, 101), label=one.name)
    axes.set(title=f"{boards:,} boards wake at once", xscale="log")
    axes.set(xlabel="seconds since power-on", ylabel="% served")
    axes.legend()
    figure.savefig(file)


def main(arguments: list[str] | None = None) -> None:
    """Print the table or JSON, and draw if asked to."""
    parser = argparse.ArgumentParser(prog="bench.herd", description=__doc__)
    parser.add_argument("--boards", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--capacity", type=int, default=200, help="requests a second")
    parser.add_argument("--spread", type=int, help="seconds; else boards / capacity")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="PNG or SVG, last herd"
    )
    options = parser.parse_args(arguments)
    herds = {}
    for boards in options.boards:
        tried = schedules(boards, options.capacity, options.spread)
        outcomes = [simulate(s, boards, options.capacity, options.seed) for s in tried]
        herds[boards] = outcomes
        if not options.json:
            Console(highlight=False).print(table(outcomes, boards, options.capacity))
    if options.json:
        print(json.dumps({n: [asdict(o) for o in found] for n, found in herds.items()}))
    if options.plot:
        plot(outcomes, boards, options.plot)


if __name__ == "__main__":
    main()
