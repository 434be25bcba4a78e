"""Boards that reboot for ever neither flood a server nor wear out their flash."""

from collections.abc import Iterator

from tests.faults.bench import on_the_vm

ANSWERS = (
    "dead",
    "silent",
    "slow down",
    "slow down, 1 s",
    "slow down, 1 h",
    "garbage",
    "portal",
)
# How long a boot lasts, in s, and whether the board dies as soon as it asks.
LIVES = {
    "boots of 40 min": (2400, False),
    "boots of 60 s": (60, False),
    "boots that die asking": (2400, True),
}


def suites(seed: int, short: bool) -> Iterator:
    """One job for each kind of life; the short ones are a matter of luck, so more."""
    for name, (most_s, dies) in LIVES.items():
        yield lambda name=name, most_s=most_s, dies=dies: on_the_vm(
            "reboots.py",
            seed=seed,
            name=name,
            most_s=most_s,
            dies=dies,
            boots=100 if short else 1000,
            histories=1 if short or name == "boots of 40 min" else 5,
            answers=ANSWERS[:4:3] if short else ANSWERS,
        )
