"""The figures that the bench gives, each with its budget."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import check_size

import point
from bench.measure import Times, interleaved, least_heap, times
from bench.scenarios import Scenarios

WARM_HEAP, FIRST_HEAP = 28 * 1024, 40 * 1024
HANDSHAKES = 2.0  # a first boot takes at most so many times two bare handshakes
BYTES_UP = 1000


@dataclass(frozen=True)
class Figure:
    """One row: ours, the most it may be, and the seed's own way beside it."""

    what: str
    unit: str
    value: float
    budget: float | None = None
    seed: float | None = None
    spread: tuple[float, float] | None = None  # least and most

    @property
    def met(self) -> bool | None:
        """Whether the budget is kept, None if there is none."""
        return None if self.budget is None else self.value <= self.budget

    @property
    def shown(self) -> str:
        """The value for people."""
        shown = f"{self.value:,}"
        return f"{shown} ({self.spread[0]}-{self.spread[1]})" if self.spread else shown


def figures(scenarios: Scenarios, rounds: int, heap_runs: int) -> list[Figure]:
    """Every figure; without `heap_runs` no least heaps, which take longest."""
    found = [*_sizes(scenarios), *_import_heaps(scenarios)]
    if heap_runs:
        found += _least_heaps(scenarios, heap_runs)
    return [*found, *_times(scenarios, rounds), *_wire(scenarios)]


def _sizes(scenarios: Scenarios) -> Iterator[Figure]:
    modules = check_size.measure_all(Path(point.__file__).parent)
    seed = scenarios.seed_bytes()
    for total in check_size.sums(modules):
        yield Figure(f".mpy, {total.name}", "bytes", total.bytes, total.aim, seed)


def _import_heaps(scenarios: Scenarios) -> Iterator[Figure]:
    for name in ("warm", "first"):
        modules, size = scenarios.import_heap(name)
        what = f"import heap, {name} boot's {len(modules)} modules of point"
        yield Figure(what, "bytes", size)


def _least_heaps(scenarios: Scenarios, runs: int) -> Iterator[Figure]:
    seed = least_heap(scenarios.seed, runs)
    warm = least_heap(scenarios.warm, runs)
    first = least_heap(scenarios.first, runs)
    yield Figure("least heap, warm boot", "bytes", warm, WARM_HEAP, seed)
    yield Figure("least heap, first boot", "bytes", first, FIRST_HEAP, seed)


def _times(scenarios: Scenarios, rounds: int) -> Iterator[Figure]:
    names = ("empty", "bare", "seed", "first", "warm")
    runs = interleaved({name: getattr(scenarios, name) for name in names}, rounds)

    def spent(name: str) -> Times:
        return times([run.seconds["published"] * 1000 for run in runs[name]])

    empty, bare, seed = spent("empty"), spent("bare"), spent("seed")
    floor = times([sum(map(int, run.last.split()[1:])) / 1000 for run in runs["bare"]])
    yield Figure("an empty program, from spawn", "ms", empty.median, spread=empty[1:])
    yield Figure("two bare handshakes, from spawn", "ms", bare.median, spread=bare[1:])
    yield Figure("two bare handshakes, in the VM", "ms", floor.median, spread=floor[1:])
    for name in ("first", "warm"):
        found = spent(name)
        budget = round(HANDSHAKES * floor.median, 1) if name == "first" else None
        what = f"{name} boot to PUBACK"
        yield Figure(
            f"{what}, from spawn", "ms", found.median, None, seed.median, found[1:]
        )
        ours, seeds = (round(x.median - empty.median, 1) for x in (found, seed))
        yield Figure(f"{what}, from VM start", "ms", ours, budget, seeds)
        if budget:
            ratio, seeds = (round(x / floor.median, 2) for x in (ours, seeds))
            yield Figure(f"{what}, of two handshakes", "x", ratio, HANDSHAKES, seeds)


def _wire(scenarios: Scenarios) -> Iterator[Figure]:
    ours, seed = scenarios.wire("first"), scenarios.wire("seed")
    for way, budget in ("up", BYTES_UP), ("down", None):
        what = f"one provisioning, {way}"
        yield Figure(what, "bytes on the wire", ours[way], budget, seed[way])
