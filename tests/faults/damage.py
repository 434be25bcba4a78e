"""A stored record with every bit flipped, every length, and random bytes changed."""

from collections.abc import Callable, Iterator
from functools import partial

from tests.faults.bench import Row, on_the_vm


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """The record in clear and sealed."""
    for sealed in (False, True):
        yield partial(
            on_the_vm,
            "damage.py",
            sealed=sealed,
            seed=seed,
            mutations=300 if short else 60000,
        )
