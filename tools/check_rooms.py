"""Walk the imports of the host package, room by room: docs/architecture.md's rules.

A room is a folder or a module of tools/pointctl/, at every level. The rules:

- no circle: the rooms of a folder, and the files in them, can be put on floors so that
  every import goes down;
- only cli.py imports `commands`;
- only `commands/sandbox.py` and sandboxes import a sandbox: no product code does.

Reads the repository that it stands in, or the one that is given as its argument.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

PACKAGE = "pointctl"
COMMANDS = f"{PACKAGE}.commands"
IMPORTS_COMMANDS = {f"{PACKAGE}.cli"}
IMPORTS_SANDBOXES = {f"{COMMANDS}.sandbox"}


class Import(NamedTuple):
    """An import of one module of the package by another, by their dotted names."""

    file: Path
    line: int
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.source} imports {self.target}"


def module_names(folder: Path) -> dict[str, Path]:
    """Every module under `folder`/pointctl, by its dotted name."""
    found = {}
    for file in sorted((folder / PACKAGE).rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__")] = file
    return found


def imports(modules: Mapping[str, Path]) -> Iterator[Import]:
    """Every import of one of the modules by another, also inside functions."""
    for source, file in modules.items():
        for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for target in _targets(node, modules):
                    yield Import(file, node.lineno, source, target)


def _targets(
    node: ast.Import | ast.ImportFrom, modules: Mapping[str, Path]
) -> Iterator[str]:
    for alias in node.names:
        package = node.module if isinstance(node, ast.ImportFrom) else None
        names = (f"{package}.{alias.name}", package) if package else (alias.name,)
        found = [name for name in names if name in modules]
        yield from filter(None, found[:1])  # the module itself, else its package


def circles(found: Iterable[Import]) -> Iterator[str]:
    """Every circle among the rooms of a folder, with an import for each arrow in it."""
    arrows: dict[str, dict[tuple[str, str], Import]] = defaultdict(dict)
    for each in found:
        folder, source, target = _siblings(each.source, each.target)
        if source != target:
            arrows[folder].setdefault((source, target), each)
    for folder, between in sorted(arrows.items()):
        for room in _in_circles(between):
            ties = [str(between[pair]) for pair in sorted(between) if set(pair) <= room]
            names = ", ".join(sorted(room))
            yield "\n  ".join([f"a circle in {folder}: {names}", *ties])


def _siblings(source: str, target: str) -> tuple[str, str, str]:
    """The folder that both are in, and the room of each in that folder.

    What a package's own __init__ defines is the room `__init__` in it.
    """
    ours, theirs = source.split("."), target.split(".")
    depth = 0
    while ours[depth : depth + 1] == theirs[depth : depth + 1] != []:
        depth += 1
    room, other = (n[depth] if n[depth:] else "__init__" for n in (ours, theirs))
    return ".".join(ours[:depth]), room, other


def _in_circles(arrows: Iterable[tuple[str, str]]) -> list[set[str]]:
    """The sets of rooms that reach each other."""
    reached: dict[str, set[str]] = defaultdict(set)
    for source, target in arrows:
        reached[source].add(target)
    changed = True
    while changed:
        changed = False
        for rooms in reached.values():
            more = set().union(*(reached.get(room, ()) for room in rooms)) - rooms
            rooms |= more
            changed = changed or bool(more)
    found: list[set[str]] = []
    for room, rooms in reached.items():
        if room in rooms and not any(room in known for known in found):
            found.append({room} | {r for r in rooms if room in reached.get(r, ())})
    return found


def floors(found: Iterable[Import], folder: str = PACKAGE) -> dict[str, int]:
    """The floor of each room of a folder: above all that it imports; 1 is the ground.

    Raises graphlib.CycleError for a folder with a circle.
    """
    below: dict[str, set[str]] = defaultdict(set)
    for each in found:
        where, source, target = _siblings(each.source, each.target)
        if where == folder and source != target:
            below[source].add(target)
    floor: dict[str, int] = {}
    for room in TopologicalSorter(below).static_order():  # what is below comes first
        floor[room] = 1 + max((floor[lower] for lower in below[room]), default=0)
    return floor


def forbidden(found: Iterable[Import]) -> Iterator[str]:
    """Every import of commands or of a sandbox by what may not import it."""
    for each in found:
        if _breaks(each, _is_command, IMPORTS_COMMANDS):
            yield f"{each}: a room does not know the command line"
        if _breaks(each, _is_sandbox, IMPORTS_SANDBOXES):
            yield f"{each}: no product code imports a sandbox"


def _breaks(found: Import, is_inside: Callable[[str], bool], allowed: set[str]) -> bool:
    """Whether it goes into a room from outside, where only some are allowed to."""
    enters = is_inside(found.target) and not is_inside(found.source)
    return enters and found.source not in allowed


def _is_command(module: str) -> bool:
    return module == COMMANDS or module.startswith(COMMANDS + ".")


def _is_sandbox(module: str) -> bool:
    return not _is_command(module) and "sandbox" in module.split(".")


def violations(root: Path) -> list[str]:
    """Every broken rule under `root`, a message each."""
    found = list(imports(module_names(root / "tools")))
    return [*circles(found), *forbidden(found)]


def main(arguments: list[str]) -> int:
    """Print every broken rule; 1 if there is one."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    problems = violations(root)
    print(*problems, f"rooms: {len(problems)} broken rules", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
