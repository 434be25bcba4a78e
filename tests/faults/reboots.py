"""Boards that reboot for ever neither flood a server nor wear out their flash."""

from collections.abc import Callable, Iterator
from functools import partial

from tests.faults.bench import Row, on_the_vm

ANSWERS = (
    "dead",
    "silent",
    "slow down",
    "slow down, 1 s",
    "slow down, 1 h",
    "garbage",
    "portal",
)
# How long a boot lasts, in s; whether the board dies as soon as it asks; histories.
LIVES = {
    "boots of 40 min": (2400, False, 1),
    "boots of 60 s": (60, False, 9),
    "boots that die asking": (2400, True, 2),
}


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """One job for each kind of life; the more is luck, the more histories."""
    for name, (most_s, dies, histories) in LIVES.items():
        yield partial(
            on_the_vm,
            "reboots.py",
            seed=seed,
            name=name,
            most_s=most_s,
            dies=dies,
            boots=100 if short else 1000,
            histories=1 if short else histories,
            answers=ANSWERS[:4:3] if short else ANSWERS,
        )
