"""Walk the imports of device and host code, by syntax tree: DESIGN's arrows, enforced.

The layer of a module of point/ follows from what it imports, so it is written down
nowhere but in docs/architecture.md, which `make docs` makes from layers().

Reads the repository that it stands in, or the one that is given as its argument.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

# The layers of point/, the lowest first.
BASE = "base"  # knows the runtime
PURE = "pure"  # does no I/O and reads no clock, nor does what it imports
DOING = "doing"  # all else; the host cannot import it

COMPAT = "compat"
HOST_FOLDER = "host/"  # of point/, what is on no board

# Names of point/compat.py with which a module is not pure.
IMPURE = {"io", "os", "sleep_ms", "socket", "ticks_ms", "time"}

# What MicroPython itself brings, with the spellings of its older versions.
_PLAIN = {"binascii", "collections", "cryptolib", "errno", "hashlib", "io", "json"}
_PLAIN |= {"os", "random", "select", "socket", "ssl", "struct", "sys", "time"}
RUNTIME = _PLAIN | {"u" + name for name in _PLAIN} | {"gc", "micropython", "tls"}
RUNTIME |= {"_thread"}
VENDOR = {"checkNet", "dataCall", "esp", "esp32", "machine", "misc", "modem", "net"}
VENDOR |= {"network", "ntptime", "ql_fs", "request", "requests", "securedata", "sim"}
VENDOR |= {"SecureData", "umqtt", "uping", "urequests"}


class Import(NamedTuple):
    """One imported name: `from module import name`, with `level` leading dots."""

    line: int
    level: int
    module: str
    name: str

    @property
    def top(self) -> str:
        """The package that the name comes from."""
        return (self.module or self.name).partition(".")[0]

    @property
    def path(self) -> str:
        """The module and the name in it, as a path."""
        return f"{self.module}.{self.name}".strip(".").replace(".", "/")


def imports(file: Path) -> Iterator[Import]:
    """Every import of `file`, also inside functions, by `__import__` and `point.x`."""
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, 0, alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(node.lineno, node.level, node.module or "", alias.name)
        elif isinstance(node, ast.Name) and node.id == "__import__":
            yield Import(node.lineno, 0, node.id, "")
        elif isinstance(node, ast.Attribute):
            package = ast.unparse(node.value)
            if package.partition(".")[0] == "point":
                yield Import(node.lineno, 0, package, node.attr)


@dataclass(frozen=True)
class Point:
    """The package point/ in `folder`. Its modules are named by their paths in it."""

    folder: Path

    @cached_property
    def imports(self) -> Mapping[str, list[Import]]:
        """What each module imports."""
        files = sorted(self.folder.rglob("*.py"))
        return {self.name(f): list(imports(f)) for f in files if f.stem != "__init__"}

    def name(self, file: Path) -> str:
        """The module that `file` holds: "store" or "aliyun/login"."""
        return file.relative_to(self.folder).with_suffix("").as_posix()

    def module(self, path: str) -> str | None:
        """The module that `path` is, or is a name in; "" for a folder; else None."""
        if (self.folder / path).is_dir():
            return ""
        while path and path not in self.imports:
            path = path.rpartition("/")[0]
        return path or None

    def target(self, name: str, found: Import) -> str | None:
        """As module(), for a relative import in the module `name`."""
        folders = name.split("/")[: -found.level]
        if found.level > name.count("/") + 1:
            return None
        return self.module("/".join([*folders, found.path]))

    def targets(self, name: str) -> set[str]:
        """The modules that a module imports."""
        relative = [found for found in self.imports[name] if found.level]
        return {self.target(name, found) or "" for found in relative} - {""}

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """Why each module that is doing is not pure."""
        found: dict[str, str] = {}
        for name, imported in self.imports.items():
            for each in imported:
                taken = self.target(name, each) == COMPAT and each.name
                if name != COMPAT and taken in IMPURE | {COMPAT}:
                    found[name] = f"it takes {taken} from compat"
                    if taken == COMPAT:
                        found[name] = "it does not name what it takes from compat"
        size = -1
        while size != len(found):
            size = len(found)
            for name in self.imports.keys() - found.keys():
                for target in sorted(self.targets(name) & found.keys()):
                    found[name] = f"it imports {target}"
        return found

    @cached_property
    def layers(self) -> Mapping[str, str]:
        """The layer of each module."""
        found = dict.fromkeys(self.imports, PURE) | dict.fromkeys(self.reasons, DOING)
        for name, imported in self.imports.items():
            if knows_the_runtime(name) and any(not each.level for each in imported):
                found[name] = BASE
        return found

    def leads_back(self, start: str, name: str) -> bool:
        """Whether the imports of `start` come to `name`."""
        known = set()
        new = {start}
        while new:
            known |= new
            new = set().union(*map(self.targets, new)) - known
        return name in known

    def rule(self, file: Path, found: Import) -> str | None:
        """What is wrong with an import in point/."""
        name = self.name(file)
        if found.level == 0:
            if not knows_the_runtime(name):
                return f"import of {found.module}: only compat knows the runtime"
            allowed = RUNTIME | {"__import__"}
            if name != COMPAT:  # no board has it: it stands in for what CPython lacks
                allowed |= {"cryptography", "hmac"}
            return None if found.top in allowed else f"{found.top} is not MicroPython's"
        if file.stem == "__init__":
            if file.parent == self.folder:
                return None
            return "a board would load it with each module of the folder"
        target = self.target(name, found)
        if target is None:
            return f"{found.path} is not in point/"
        if target.startswith(HOST_FOLDER) and not knows_the_runtime(name):
            return f"{target} is on no board"
        if target and self.layers[name] != DOING and self.leads_back(target, name):
            return f"{target} imports {name} in turn"
        return None

    def host_rule(self, _file: Path, found: Import) -> str | None:
        """What is wrong with an import in the host package."""
        if found.level == 0 and found.top in VENDOR:
            return f"{found.top} is a vendor's: it belongs into firmware/"
        if found.level or found.top != "point":
            return None
        taken = found.path.removeprefix("point").lstrip("/")
        if taken in {"", "__file__", "__version__"}:
            return None
        module = self.module(taken)
        if module is None:
            return f"the host takes modules of point only, not {taken}"
        if module in self.reasons:
            why = self.reasons[module]
            return f"the host takes base and pure modules only, not {module}: {why}"
        return None


def knows_the_runtime(name: str) -> bool:
    """Whether a module of point/ may import what is not point's."""
    return name == COMPAT or name.startswith(HOST_FOLDER)


def layers(root: Path) -> Mapping[str, str]:
    """The layer of each module of point/ under `root`, by its path in point/."""
    return Point(root / "point").layers


def board_rule(vendor: set[str], file: Path, found: Import) -> str | None:
    """What is wrong with an import of code beside point/ that a board runs."""
    siblings = {sibling.stem for sibling in file.parent.glob("*.py")}
    known = RUNTIME | vendor | siblings | {"board", "boot", "point", "start", "usr"}
    return None if found.level or found.top in known else f"no {found.top} here"


def rules(root: Path) -> Mapping[str, Callable[[Path, Import], str | None]]:
    """What holds for which files under `root`."""
    point = Point(root / "point")
    return {
        "point/**/*.py": point.rule,
        "firmware/**/*.py": partial(board_rule, VENDOR),
        "boot.py": partial(board_rule, set()),
        "main.py": partial(board_rule, set()),
        "examples/*/main.py": partial(board_rule, set()),
        "tools/pointctl/**/*.py": point.host_rule,
    }


def violations(root: Path) -> Iterator[str]:
    """Every broken rule under `root`, as `file:line: message`."""
    for pattern, rule in rules(root).items():
        for file in sorted(root.glob(pattern)):
            for found in imports(file):
                if problem := rule(file, found):
                    yield f"{file}:{found.line}: {problem}"


def main(arguments: list[str]) -> int:
    """Print every broken rule; 1 if there is one."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    problems = list(violations(root))
    print(*problems, f"imports: {len(problems)} broken rules", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
