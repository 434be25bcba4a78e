"""make dist: what people download is whole, the same each time, and runs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import point
from pointctl.boards import flash
from tests.fakeboard.board import fake_board
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT, UMQTT, micropython, require

V = point.__version__
ZIPS = ("esp32-mpy6", "esp32-py", "quecpython-py", "unix-py")
PAGES = {"LICENSE", "README.md"}
# What is one board's own, or makes a merged image roll it back.
NEVER = {"claim.key", "settings.json", "deployed.json", "deploying.json"}
NEVER |= {f"{slot}.{number}" for slot in ("credentials", "pending") for number in "01"}
NEVER |= {"checksum.json", "backup_restore.json"}


def build(folder: Path, **environment: str) -> Path:
    """What `make dist` runs, into another folder."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools/make_dist.py", folder],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of all that is distributed."""
    return build(tmp_path_factory.mktemp("dist") / "first")


def opened(dist: Path, name: str) -> dict[str, bytes]:
    """The files of one zip by their paths."""
    with zipfile.ZipFile(dist / f"pointaccess-{name}-{V}.zip") as archive:
        assert archive.testzip() is None
        return {entry: archive.read(entry) for entry in archive.namelist()}


def test_sums(dist: Path) -> None:
    """SHA256SUMS names each file that there is, and the hash of it."""
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    wanted = {f"pointaccess-{name}-{V}.zip" for name in ZIPS}
    wanted |= {f"pointaccess-{V}-py3-none-any.whl", f"pointaccess-{V}.tar.gz"}
    assert sums.keys() == wanted
    assert {path.name for path in dist.iterdir()} == wanted | {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest


def test_same_bytes_twice(dist: Path, tmp_path: Path) -> None:
    """Two builds do not differ, whenever they are made, and in whatever time zone."""
    again = build(tmp_path / "again", TZ="Asia/Shanghai")
    sums = (again / "SHA256SUMS").read_text()
    assert sums == (dist / "SHA256SUMS").read_text()


def test_files_have_the_time_that_is_given(dist: Path, tmp_path: Path) -> None:
    """By SOURCE_DATE_EPOCH, in seconds; without it by a date that never changes."""
    build(tmp_path / "dated", SOURCE_DATE_EPOCH="1700000000")
    for folder, day in ((tmp_path / "dated", (2023, 11, 14)), (dist, (2020, 2, 2))):
        archives = [*folder.glob("*.zip"), *folder.glob("*.whl")]
        assert len(archives) == 5
        for path in archives:
            with zipfile.ZipFile(path) as archive:
                assert {entry.date_time[:3] for entry in archive.infolist()} == {day}


@pytest.mark.parametrize("name", ZIPS)
def test_zip_holds_what_deployment_copies(dist: Path, name: str) -> None:
    """Each file in its place, its bytes or compiled ones; pages; nothing else."""
    board, form = name.split("-")
    under = "" if board == "quecpython" else "flash"
    files = {(under + path).lstrip("/"): p for path, p in flash.files(board).items()}
    held = opened(dist, name)
    pages = PAGES | ({"MERGE.md"} if board == "quecpython" else set())
    samples = (ROOT / "firmware" / board).glob("*.sample.json")
    pages |= {f"samples/{sample.name}" for sample in samples}
    assert pages <= held.keys()
    found = set()
    for path, data in held.items():
        if path in pages:
            assert data
        elif path.endswith(".mpy"):
            assert data[:3] == b"M\x06\x00", "bytecode of version 6, no machine code"
            found.add(path.removesuffix(".mpy") + ".py")
        else:
            assert data == files[path].read_bytes()
            found.add(path)
    assert found == files.keys()
    source = [path for path in held.keys() - pages if path.endswith(".py")]
    if form == "mpy6":
        assert sorted(source) == ["flash/boot.py", "flash/main.py"]
    assert not NEVER & {path.rpartition("/")[2] for path in held}


def test_quecpython_can_be_merged() -> None:
    """Its main.py says the two names that QPYcom asks for, and the right version."""
    main = flash.files("quecpython")["/usr/main.py"].read_text()
    assert 'PROJECT_NAME = "PointAccess"' in main
    assert f'PROJECT_VERSION = "{V}"' in main


def test_merge_note_names_each_file() -> None:
    """What must never be merged stands in the note's table."""
    note = (ROOT / "docs/merging.md").read_text()
    for name in NEVER:
        assert f"`{name}`" in note, name


@pytest.mark.parametrize("name", ["unix-py", "esp32-mpy6"])
def test_zip_runs(dist: Path, tmp_path: Path, name: str) -> None:
    """Unpacked, it boots on the real MicroPython until it misses its claim key.

    The ESP32's compiled modules run with the unix port's adapter: this machine has no
    modem.
    """
    with zipfile.ZipFile(dist / f"pointaccess-{name}-{V}.zip") as archive:
        archive.extractall(tmp_path)
    board = tmp_path / "flash"
    if name != "unix-py":
        for compiled in board.glob("*.mpy"):
            compiled.unlink()
        shutil.copy(flash.files("unix")["/board.py"], board)
    (board / "ca.der").write_bytes(b"unread")
    settings = {"url": "https://127.0.0.1/v1/access", "productKey": "meter"}
    (board / "settings.json").write_text(json.dumps(settings | {"ca": "ca.der"}))
    command = [str(micropython()), "-X", "heapsize=128k", "-c", "import boot, main"]
    libraries = require("umqtt", UMQTT, "run make test").parents[1]
    environment = {
        "POINTACCESS_IMEI": "490154203237518",
        "MICROPYPATH": f":.frozen:{libraries}",
    }
    done = subprocess.run(
        command,
        cwd=board,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert "E60 SETTING: claim.key" in done.stdout + done.stderr


def test_quecpython_zip_runs(dist: Path, tmp_path: Path) -> None:
    """Unpacked onto a module it starts from /usr, until it misses its settings."""
    with zipfile.ZipFile(dist / f"pointaccess-quecpython-py-{V}.zip") as archive:
        archive.extractall(tmp_path)
    with fake_board("quecpython", tmp_path) as board:
        board.wait_for("E60 SETTING: settings.json")


def test_zip_is_copied_as_its_page_says(dist: Path, tmp_path: Path) -> None:
    """The command of docs/downloads.md, by the real mpremote, puts it on an ESP32.

    It then boots, from the compiled modules, until it misses its settings.
    """
    command = "mpremote cp -r flash/. :/"
    assert f"`{command}`" in (ROOT / "docs/downloads.md").read_text(encoding="utf-8")
    with zipfile.ZipFile(dist / f"pointaccess-esp32-mpy6-{V}.zip") as archive:
        archive.extractall(tmp_path)
    flash_folder = tmp_path / "board"
    flash_folder.mkdir()
    with fake_board("esp32", flash_folder) as board:
        words = [sys.executable, "-m", "mpremote", "connect", board.port]
        subprocess.run(
            [*words, *command.split()[1:]],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        board.reset()
        board.wait_for("E60 SETTING: settings.json")
    for path in (tmp_path / "flash").rglob("*.*"):
        copied = flash_folder / path.relative_to(tmp_path / "flash")
        assert copied.read_bytes() == path.read_bytes()


def test_sdist_gives_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    """All that the wheel is made of is in the source archive."""
    # Python 3.11.2, Debian 12's, has no filters yet: shutil takes one where there is.
    shutil.unpack_archive(dist / f"pointaccess-{V}.tar.gz", tmp_path)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=tmp_path / f"pointaccess-{V}",
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    (wheel,) = tmp_path.glob("*/dist/*.whl")
    assert wheel.read_bytes() == (dist / wheel.name).read_bytes()


def test_wheel_runs(dist: Path, tmp_path: Path) -> None:
    """In a fresh environment the command answers, and finds the boards' files.

    What the package depends on is borrowed from this environment: no network is needed.
    """
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = str(home / "bin/python")
    pip = [sys.executable, "-m", "pip", "-q", "--python", python, "install"]
    wheel = str(dist / f"pointaccess-{V}-py3-none-any.whl")
    offline = "--no-deps", "--no-index", "--no-compile"
    subprocess.run([*pip, *offline, wheel], check=True, timeout=PATIENCE_S)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(*arguments: object) -> str:
        return subprocess.check_output(
            [python, *map(str, arguments)],
            text=True,
            timeout=PATIENCE_S,
            cwd=tmp_path,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )

    assert V in run(home / "bin/pointctl", "--version")
    assert "Example:" in run(home / "bin/pointctl", "boards", "deploy", "--help")
    question = "import pointctl.boards.flash as f; print(f.__file__, *f.files('esp32'))"
    where, *files = run("-c", question).split()
    assert Path(where).is_relative_to(site)
    assert files == list(flash.files("esp32"))


def test_wheel_has_the_types(dist: Path, tmp_path: Path) -> None:
    """Who installs it, and checks what calls point, is told of a wrong argument."""
    with zipfile.ZipFile(dist / f"pointaccess-{V}-py3-none-any.whl") as archive:
        names = [n for n in archive.namelist() if n.startswith(("point/", "point-"))]
        archive.extractall(tmp_path / "packages", names)
    program = tmp_path / "program.py"
    program.write_text(
        "from point import PointAccess, imei\n\n"
        "code: str = PointAccess().request('https://a/', {'imei': imei.check('')})\n"
        "wrong: int = PointAccess().device_config['device']['deviceName']\n"
    )
    python = tmp_path / "python"  # mypy asks it where packages are
    python.write_text(
        f'#!/bin/sh\nPYTHONPATH={tmp_path / "packages"} exec {sys.executable} -S "$@"\n'
    )
    python.chmod(0o755)
    options = "--strict", "--python-executable", str(python), "--cache-dir", os.devnull
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("program.py:4: error: Incompatible types in assignment")
    assert last == "Found 1 error in 1 file (checked 1 source file)"


def test_nothing_is_overwritten(dist: Path) -> None:
    """A folder that holds something is refused, and left as it is."""
    before = sorted(path.name for path in dist.iterdir())
    done = subprocess.run(
        [sys.executable, ROOT / "tools/make_dist.py", dist],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert sorted(path.name for path in dist.iterdir()) == before
