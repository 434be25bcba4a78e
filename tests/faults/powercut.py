"""A board's power fails at every write to its flash, and again while it recovers."""

import random
from collections.abc import Callable, Iterator
from functools import partial

from tests.faults.bench import Row, on_the_vm

KINDS = ("lfs2-512", "lfs2-4096", "fat-512", "fat-4096")
DEEP = 600  # bytes: a record that is larger is cut once only


def sizes(rng: random.Random, sealed: bool) -> list[int]:
    """The sizes of the records of one run of lives, each with another start."""
    small = [rng.randrange(100, DEEP) for _ in range(2 if sealed else 12)]
    large = [rng.randrange(DEEP, 4000) for _ in range(2 if sealed else 6)]
    return [100, *small, *large, 4000]


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """One job for each file system, with a store key and without."""
    rng = random.Random(seed)
    for sealed in (False, True):
        for kind in KINDS:
            wanted = [150] if short else sizes(rng, sealed)
            yield partial(
                on_the_vm,
                "powercut.py",
                kind=kind,
                sealed=sealed,
                seed=seed,
                sizes=wanted,
                deep=0 if short else DEEP,
            )
