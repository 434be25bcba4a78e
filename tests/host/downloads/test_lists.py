"""package.json and manifest.py: what mip installs and MicroPython freezes is what
deployment copies."""

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mpremote import mip

import point
from pointctl.boards import flash
from tests.runtimes import ROOT

POINT = {
    path.removeprefix("/"): source
    for path, source in flash.files("esp32").items()
    if path.startswith("/point/")
}


class Flash:
    """The part of mpremote's transport that mip needs, over a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def fs_exists(self, path: str) -> bool:
        return self.place(path).exists()

    def fs_mkdir(self, path: str) -> None:
        self.place(path).mkdir()

    def fs_writefile(self, path: str, data: bytes, **_: object) -> None:
        self.place(path).write_bytes(data)


def install(package: str, root: Path) -> dict[str, bytes]:
    """`mpremote mip install PACKAGE` by mpremote itself; what it put into /lib."""
    state = SimpleNamespace(
        transport=Flash(root), did_action=lambda: None, ensure_raw_repl=lambda: None
    )
    arguments = SimpleNamespace(
        command=["install"], packages=[package], target="/lib", index=None, mpy=None
    )
    mip.do_mip(state, arguments)
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root / "lib")): path.read_bytes() for path in files}


@pytest.fixture
def repository() -> Iterator[str]:
    """The address of a host that serves this checkout as a repository's host does."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=ROOT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("where", ["checkout", "elsewhere", "repository"])
def test_mip_installs_point(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: str
) -> None:
    """From the checkout, from another folder, and over the network: all of point/."""
    monkeypatch.chdir(ROOT if where == "checkout" else tmp_path)
    package = {
        "checkout": "package.json",
        "elsewhere": str(ROOT / "package.json"),
        "repository": f"{repository}/package.json",
    }[where]
    root = tmp_path / "board"
    root.mkdir()
    wanted = {path: source.read_bytes() for path, source in POINT.items()}
    assert install(package, root) == wanted


def test_package_says_its_version() -> None:
    """The one that point/ says."""
    assert json.loads((ROOT / "package.json").read_text())["version"] == (
        point.__version__
    )


def frozen(board: str | None) -> dict[str, Path]:
    """What MicroPython's build makes of manifest.py: file by name when imported.

    Stands in for tools/manifestfile.py of MicroPython, as its manual defines these.
    """
    found: dict[str, Path] = {}

    def package(name: str, *, files: tuple[str, ...]) -> None:
        found.update({f"{name}/{file}": ROOT / name / file for file in files})

    def module(name: str, base_path: str = ".") -> None:
        found[name] = ROOT / base_path / name

    options = SimpleNamespace(board=board, defaults=lambda **_: None)
    language: dict[str, Any] = {
        "package": package,
        "module": module,
        "options": options,
        "metadata": lambda **_: None,
    }
    exec((ROOT / "manifest.py").read_text(encoding="utf-8"), language)
    return found


def resolved(files: dict[str, Path]) -> dict[str, Path]:
    """The same, each file by its one true path."""
    return {name: path.resolve() for name, path in files.items()}


def test_manifest_freezes_point() -> None:
    """By itself it is the component and nothing of a board."""
    assert resolved(frozen(None)) == resolved(POINT)


@pytest.mark.parametrize("board", ["esp32", "unix"])
def test_manifest_freezes_a_board(board: str) -> None:
    """With a board's name it is all that deployment copies to one."""
    wanted = {path.lstrip("/"): source for path, source in flash.files(board).items()}
    assert resolved(frozen(board)) == resolved(wanted)
