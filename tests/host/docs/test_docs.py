"""The made pages are what the code says today, and every link leads somewhere."""

import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from point import errors
from pointctl.cli import app
from tests.runtimes import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_made_pages_are_up_to_date() -> None:
    """make docs would change nothing."""
    check = subprocess.run(
        [sys.executable, "tools/make_docs.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (check.returncode, check.stdout) == (0, ""), check.stderr


def test_a_stale_page_is_noticed(tmp_path: Path) -> None:
    """A page that somebody has edited makes --check fail and is named."""
    copy = tmp_path / "checkout"
    tools = "tools/make_docs.py", "tools/manifests.py"
    for name in (*tools, "point/errors.py", "point/flow.py"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    (copy / "docs").mkdir()
    for page in ("api", "architecture", "errors", "cli"):
        text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
        (copy / f"docs/{page}.md").write_text(text + "x" * (page == "errors"))
    check = subprocess.run(
        [sys.executable, "tools/make_docs.py", "--check"],
        cwd=copy,
        capture_output=True,
        text=True,
    )
    assert check.returncode == 1, check.stderr
    assert "docs/errors.md" in check.stdout
    assert "docs/cli.md" not in check.stdout


def test_every_error_has_its_row() -> None:
    """Each number of point.errors stands in docs/errors.md, and no other does."""
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs/errors.md").read_text(), re.M
    )
    numbers = {
        name: value
        for name, value in vars(errors).items()
        if name.isupper() and isinstance(value, int) and not name.startswith("_")
    }
    assert {name: int(number) for number, name in rows} == numbers


def test_every_module_has_its_layer() -> None:
    """docs/architecture.md names each file of point/, and none that is not there."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (?:base|pure|doing) \| (.*?) \|", page, re.M)
    assert len(table) == 3
    named = sorted(re.findall(r"`([\w/]+)`", " ".join(table)))
    files = [
        file.relative_to(ROOT / "point") for file in ROOT.glob("point/**/[!_]*.py")
    ]
    assert named == sorted(file.with_suffix("").as_posix() for file in files)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Each relative link leads to a file that is there, each anchor to a heading."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            slugs = [
                re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings
            ]
            assert anchor in slugs, target


def test_both_readmes_have_the_same_commands() -> None:
    """What is to be typed in English is to be typed in Chinese."""
    blocks = re.compile(r"^```(?:sh|json)\n.*?^```", re.M | re.S)
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    assert set(blocks.findall(english)) - set(blocks.findall(chinese)) == set()


@functools.cache
def pointctl() -> Any:
    """The tree of commands."""
    return typer.main.get_command(app)


def wrong(line: str) -> str | None:
    """What is wrong with a command line after "pointctl", None if nothing is."""
    command, known, before = pointctl(), {"--help"}, ""
    for word in line.replace("\\\n", " ").split():
        known |= {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        inside = getattr(command, "commands", {})
        if word in inside:
            command = inside[word]
        elif re.fullmatch(r"--[a-z-]+", word):
            if word not in known:
                return f"no option {word}"
        elif inside and word.islower() and not before.startswith("--"):
            return f"no command {word}"
        before = word
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands(page: Path) -> None:
    """Each command of ours that a page shows is one, with options that it has."""
    for code in re.findall(r"`+[^`]+`+", page.read_text(encoding="utf-8")):
        typed = r"(?:^|[`(]|bin/|&& )pointctl ([a-z](?:[^\n`|;&#\\]|\\\n)*)"
        for line in re.findall(typed, code, re.M):
            assert wrong(line) is None, line


@pytest.mark.parametrize(
    "line",
    [
        "serv",
        "boards deply x",
        "boards deploy x --bord esp32",
        "serve --data x --prt 1",
    ],
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    """A command, or an option, by another name."""
    assert wrong(line)


def test_the_files_of_the_worked_examples_are_there() -> None:
    """architecture.md names the file for a change; some are still to be made."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = page.split("### Where does my change belong?")[1].split("\n## ")[0]
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", section)
    assert len(named) > 5
    places = ROOT, ROOT / "tools/pointctl"
    missing = [name for name in named if not any((p / name).is_file() for p in places)]
    assert missing == []
