"""Walk the imports of device and host code, by syntax tree: DESIGN's arrows, enforced.

Reads the repository that it stands in, or the one that is given as its argument.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

LAYERS = {
    "base": {"compat", "cpython", "errors"},
    "pure": {"aliyun", "cipher", "credentials", "digest", "flow", "gizwits", "imei"}
    | {"authkey", "cloudsettings", "gizwitsform", "gizwitsframe", "mqttauth"}
    | {"alinkjson", "topology"}
    | {"protocol", "protocol_server", "seal", "settings", "slot", "strictjson", "url"},
    "doing": {"access", "binding", "broker", "claim", "clock", "exchange", "foreign"}
    | {"httpreply", "https", "mqttclient", "room", "run", "session", "setup"}
    | {"registerhttps", "registermqtt", "registration"}
    | {"registerauthkey", "registerclassic", "registergizwits", "source"}
    | {"alink", "cipherget", "countdown", "gateway"}
    | {"store", "stream", "trust"},
    "top": {"__init__"},
}
KNOWS_THE_RUNTIME = {"compat", "cpython"}
RANK = {module: rank for rank, names in enumerate(LAYERS.values()) for module in names}
FOR_HOST = LAYERS["base"] | LAYERS["pure"]

# Names of point/compat.py with which a module would no longer be pure.
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
        """The package the name comes from; inside point/, the sibling module."""
        return (self.module or self.name).partition(".")[0]


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
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "point":
            yield Import(node.lineno, 0, "point", node.attr)


def point_rule(file: Path, found: Import) -> str | None:
    """What is wrong with an import in point/."""
    module = file.stem
    if found.level == 0:
        if module not in KNOWS_THE_RUNTIME:
            return f"absolute import of {found.module}: only compat knows the runtime"
        allowed = RUNTIME | {"__import__"}
        if module == "cpython":  # no board has it: it stands in for what CPython lacks
            allowed |= {"cryptography", "hmac"}
        return None if found.top in allowed else f"{found.top} is not MicroPython's"
    if found.level > 1 or found.top not in RANK:
        return f"{found.top} is in no layer of point/"
    if module in RANK and RANK[found.top] > RANK[module]:
        return f"{found.top} is in a higher layer"
    if found.top == "compat" and module in LAYERS["pure"]:
        if not found.module:
            return "a pure module names what it takes from compat"
        if found.name in IMPURE:
            return f"a pure module does no I/O and reads no clock: {found.name}"
    return None


def board_rule(vendor: set[str], file: Path, found: Import) -> str | None:
    """What is wrong with an import of code beside point/ that a board runs."""
    siblings = {sibling.stem for sibling in file.parent.glob("*.py")}
    known = RUNTIME | vendor | siblings | {"board", "boot", "point", "start", "usr"}
    return None if found.level or found.top in known else f"no {found.top} here"


def host_rule(_file: Path, found: Import) -> str | None:
    """What is wrong with an import in the host package."""
    if found.level == 0 and found.top in VENDOR:
        return f"{found.top} is a vendor's: it belongs into firmware/"
    if found.level or found.top != "point":
        return None
    taken = f"{found.module}.{found.name}".split(".")[1]
    if taken in FOR_HOST | {"", "__file__", "__version__"}:
        return None
    return f"the host takes base and pure modules of point only, not {taken}"


RULES: dict[str, Callable[[Path, Import], str | None]] = {
    "point/**/*.py": point_rule,
    "firmware/**/*.py": partial(board_rule, VENDOR),
    "boot.py": partial(board_rule, set()),
    "main.py": partial(board_rule, set()),
    "examples/*/main.py": partial(board_rule, set()),
    "tools/pointctl/**/*.py": host_rule,
}


def violations(root: Path) -> Iterator[str]:
    """Every broken rule under `root`, as `file:line: message`."""
    for file in sorted(root.glob("point/**/*.py")):
        if file.stem not in RANK:
            yield f"{file}:1: say in LAYERS which layer {file.stem} is in"
    for pattern, rule in RULES.items():
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
