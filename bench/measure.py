"""Least heap and medians, from scenarios that can be run again and again."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple

from bench.vm import Run

_STEP = 256
_MOST = 128 * 1024


def least_heap(run: Callable[[int], Run | None], times: int) -> int:
    """The least heap, in steps of 256 bytes, in which `run` works `times` of `times`.

    Halving finds the region, and steps from there the first size that always works:
    fragments make single runs lucky.
    """
    low, high = 0, _MOST // _STEP
    while high - low > 1:
        middle = (low + high) // 2
        if run(middle * _STEP):
            high = middle
        else:
            low = middle
    while not all(run(high * _STEP) for _ in range(times)):
        high += 1
        if high * _STEP > _MOST:
            raise SystemExit("bench: not even 128 KB of heap are enough")
    return high * _STEP


class Times(NamedTuple):
    """Milliseconds of several runs."""

    median: float
    least: float
    most: float


def times(values: list[float]) -> Times:
    """The median, least and most of `values`."""
    return Times(*(round(x, 1) for x in (median(values), min(values), max(values))))


def interleaved(
    runs: Mapping[str, Callable[[], Run | None]], rounds: int
) -> dict[str, list[Run]]:
    """Every scenario once a round, so that a slow moment of the machine hits all.

    The first round warms up caches and connections, and does not count.
    """
    done: dict[str, list[Run]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            finished = run()
            if finished is None:
                raise SystemExit(f"bench: {name} fails without any limit")
            if turn:
                done[name].append(finished)
    return done
