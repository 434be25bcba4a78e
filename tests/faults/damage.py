"""A stored record with every bit flipped, every length, and random bytes changed."""

from collections.abc import Iterator

from tests.faults.bench import on_the_vm


def suites(seed: int, short: bool) -> Iterator:
    """The record in clear and sealed."""
    for sealed in (False, True):
        yield lambda sealed=sealed: on_the_vm(
            "damage.py", sealed=sealed, seed=seed, mutations=300 if short else 60000
        )
