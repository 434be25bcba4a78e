"""Write the pages, and the lists of files, that are made from code.

`docs/errors.md` from the comments in point/errors.py, the state diagram in
docs/architecture.md from the table in point/flow.py, the layers of point/ there from
what its modules import, docs/cli.md from --help, the table
in docs/api.md from the API's routes; package.json and manifest.py from what deployment
copies. With --check nothing is written, and the exit code is 1 if anything would
change.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import check_imports
import check_rooms
import typer
from manifests import manifest_py, package_json

from point import flow
from pointctl.cli import app
from pointctl.server import api
from pointctl.server.roles import required_role
from pointctl.web.routing import list_routes

ROOT = Path(__file__).resolve().parents[1]
END = "<!-- end -->\n"


def errors() -> str:
    """The page of errors: a table for each group of ten."""
    lines = [
        "# Errors",
        "",
        "What `PointError` says, made from `point/errors.py` by `make docs`.",
        "Numbers are stable and never reused; a log line reads `E22 TLS_CA: …`.",
    ]
    source = (ROOT / "point/errors.py").read_text(encoding="utf-8")
    for line in source.splitlines():
        if group := re.match(r"# (\d)x: (\w+)\. (.*)", line):
            tens, who, text = group.groups()
            lines += ["", f"## {tens}x: {who}", "", text, ""]
            lines += ["| number | name | what happened |", "| --- | --- | --- |"]
        if error := re.match(r"([A-Z]\w+) = const\((\d+)\)  # (.*)", line):
            name, number, text = error.groups()
            lines.append(f"| {number} | `{name}` | {text} |")
    return "\n".join(lines) + "\n"


def diagram() -> str:
    """The table of decisions as a Mermaid state diagram."""
    events = {flow.DONE: "done", flow.FAILED: "failed", flow.REFUSED: "refused"}
    states = _states()
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += ["    [*] --> LOAD: power-up", "    [*] --> REVERT: the broker refuses"]
    for state, name in enumerate(states[: flow.HAND_OVER]):
        after: dict[int, list[str]] = {}
        for event, word in events.items():
            after.setdefault(flow.next_state(state, event), []).append(word)
        for target, words in after.items():
            label = "in any case" if len(words) == len(events) else " or ".join(words)
            lines.append(f"    {name} --> {states[target]}: {label}")
    lines += ["    HAND_OVER --> [*]", "    STOP --> [*]", "```"]
    return "\n".join(lines) + "\n"


def _states() -> list[str]:
    """The states' names, in the order of their numbers."""
    source = (ROOT / "point/flow.py").read_text(encoding="utf-8")
    found = re.findall(r"^([A-Z_]+) = const\((\d+)\)", source, re.M)
    states = [(int(n), name) for name, n in found if not name.startswith("_")]
    return [name for _, name in states[: flow.STOP + 1]]


_MAY = {
    check_imports.BASE: "know the runtime",
    check_imports.PURE: "compute: no I/O, no clock. The server imports these too",
    check_imports.DOING: "act, through what they are given",
}


def layers() -> str:
    """The modules of point/ by their layers, the lowest first."""
    found = check_imports.layers(ROOT)
    lines = ["| layer | modules | may |", "| --- | --- | --- |"]
    for layer, may in _MAY.items():
        names = ", ".join(f"`{name}`" for name in sorted(found) if found[name] == layer)
        lines.append(f"| {layer} | {names} | {may} |")
    return "\n".join(lines) + "\n"


def cli() -> str:
    """Every command's help, as a terminal of 80 columns shows it."""
    lines = ["# pointctl", "", "Made from `--help` by `make docs`.", ""]
    for path, found in _commands(typer.main.get_command(app), "pointctl"):
        lines += [f"## {path}", "", (found.help or "").strip(), ""]
        if found.epilog:
            lines += [found.epilog.strip(), ""]
        with found.make_context(path, [], resilient_parsing=True) as context:
            usage = found.get_usage(context).removeprefix("Usage: ").strip()
            lines += ["```text", usage]
            for parameter in found.get_params(context):
                record = parameter.get_help_record(context)
                if record:
                    lines.append(f"  {record[0]}\n      {record[1]}".rstrip())
            lines += ["```", ""]
    return "\n".join(lines)


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{path} {name}")


def operations() -> str:
    """What the API offers, and to whom."""
    lines = ["| | path | role | what |", "| --- | --- | --- | --- |"]
    for route in list_routes(api.ROUTERS):
        role = required_role(route)
        for method in sorted(route.methods or ()):
            path = route.path.removeprefix("/api/v1")
            lines.append(f"| {method} | `{path}` | {role} | {route.summary} |")
    return "\n".join(lines) + "\n"


def rooms() -> str:
    """The rooms of the host package, the highest floor first, and the rooms in them."""
    modules = check_rooms.module_names(ROOT / "tools")
    floors = check_rooms.floors(check_rooms.imports(modules))
    lines = ["| floor | room | what it is |", "| --- | --- | --- |"]
    package = ROOT / "tools/pointctl"
    for room, floor in sorted(floors.items(), key=lambda item: (-item[1], item[0])):
        if (package / room).is_dir():
            lines.append(f"| {floor} | **`{room}/`** | {_what_it_is(package / room)} |")
            for inner in sorted((package / room).glob("**/__init__.py")):
                name = inner.parent.relative_to(package).as_posix()
                if name != room and "migrations" not in name:
                    lines.append(f"| | `{name}/` | {_what_it_is(inner.parent)} |")
        elif room != "__init__":
            doc = _first_line(package / f"{room}.py")
            lines.append(f"| {floor} | `{room}.py` | {doc} |")
    return "\n".join(lines) + "\n"


def _what_it_is(folder: Path) -> str:
    return _first_line(folder / "__init__.py")


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace("|", "\\|")


def _filled(page: str, parts: dict[str, str]) -> tuple[Path, str]:
    """A page with its parts as they should be, each by what it is made from."""
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    for source, part in parts.items():
        mark = f"<!-- made by tools/make_docs.py from {source} -->\n"
        before, rest = text.split(mark)
        text = before + mark + part + END + rest.split(END, 1)[1]
    return path, text


def pages() -> dict[Path, str]:
    """What each made file should hold."""
    return {
        ROOT / "docs/errors.md": errors(),
        ROOT / "docs/cli.md": cli(),
        ROOT / "manifest.py": manifest_py(),
        ROOT / "package.json": package_json(),
        **dict(
            [
                _filled(
                    "docs/architecture.md",
                    {
                        "point/flow.py": diagram(),
                        "tools/pointctl": rooms(),
                        "point": layers(),
                    },
                ),
                _filled("docs/api.md", {"tools/pointctl/server/api": operations()}),
            ]
        ),
    }


def main() -> None:
    """Write what has changed, or with --check say that it has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [
        (path, text)
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if check:
            print(f"{path.relative_to(ROOT)} is not up to date: run make docs")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
