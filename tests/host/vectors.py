"""How many of the clouds' vectors passed on each runtime, as a table."""

import re
from collections.abc import Iterator

# What tests/device/test_cloud_vectors.py reports of one kind.
LINE = re.compile(r"  vectors (\w+): (\d+) passed, (\d+) lacking")

VECTORS = "vectors"  # the property that a test records {runtime: Counts} under
Counts = dict[str, tuple[int, int]]


def counts(output: str) -> Counts:
    """By kind how many passed, and for how many the firmware lacks the hash."""
    return {
        kind: (int(passed), int(lacking))
        for kind, passed, lacking in re.findall(LINE, output)
    }


def table(runtimes: dict[str, Counts]) -> Iterator[str]:
    """A line a kind and a column a runtime; what is lacking stands beside a plus."""
    yield "".join([f"{'kind':<24}", *(f"{name:>18}" for name in runtimes)])
    kinds = sorted(set().union(*runtimes.values()))
    sums = {
        name: tuple(map(sum, zip(*found.values(), strict=True)))
        for name, found in runtimes.items()
    }
    for kind in kinds:
        row = [found.get(kind, (0, 0)) for found in runtimes.values()]
        yield f"{kind:<24}" + "".join(f"{_cell(*pair):>18}" for pair in row)
    yield f"{'all':<24}" + "".join(f"{_cell(*pair):>18}" for pair in sums.values())


def _cell(passed: int, lacking: int) -> str:
    return f"{passed} + {lacking} lacking" if lacking else str(passed)
