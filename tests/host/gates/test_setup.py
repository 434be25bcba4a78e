"""Set-up without root: what the shell scripts do on machines that lack something."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtimes import MICROPYTHON, ROOT, need, require, run_make

Put = Callable[[str, str], None]
_TOOLS = ("sh", "dirname", "rm", "mkdir", "ln", "mktemp", "id", "head", "cat", "chmod")

_DEBIANS_WHEELS = Path("/usr/share/python-wheels")

# Stands in for apt: it knows a mirror and "downloads" the package that lies ready.
_APT_GET = """#!/bin/sh
case "$*" in
*indextargets*) echo mirror ;;
*download*) cp "{package}" . ;;
esac
"""
_PYTHON_WITHOUT_ENSUREPIP = """#!/bin/sh
case "$*" in
"-c import ensurepip") exit 1 ;;
esac
exec "{python}" "$@"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that is the whole PATH: what the scripts need, and what is put in."""
    folder = tmp_path / "path"
    folder.mkdir()
    for tool in _TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture
def put(path: Path) -> Put:
    """Put a program into PATH."""

    def write(name: str, text: str) -> None:
        (path / name).write_text(text)
        (path / name).chmod(0o755)

    return write


def run(
    path: Path, *command: object, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PATH": str(path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_micropython_from_path_is_taken(path: Path, put: Put, tmp_path: Path) -> None:
    put("micropython", "#!/bin/sh\n")
    done = run(path, ROOT / "tools/micropython.sh", tmp_path / "there")
    assert done.returncode == 0, done.stderr
    program = tmp_path / "there/bin/micropython"
    assert program.readlink() == path / "micropython"


def test_without_debian_the_user_is_told(path: Path, put: Put, tmp_path: Path) -> None:
    """The one from PATH is too old, and there is no apt to fetch another."""
    put("micropython", "#!/bin/sh\nexit 1\n")
    done = run(path, ROOT / "tools/micropython.sh", tmp_path / "there")
    assert done.returncode == 1
    assert "install micropython" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "there/bin/micropython").exists()


def test_micropython_can_be_moved(tmp_path: Path) -> None:
    """What make has set up runs from another folder, with TLS and the right argv."""
    program = require("micropython", MICROPYTHON, "run make test")
    if not program.is_symlink():
        tree = tmp_path / "moved"
        shutil.copytree(program.parents[1], tree, symlinks=True)
        program = tree / "bin/micropython"
    script = tmp_path / "script.py"
    script.write_text("import sys, tls\nprint(sys.implementation.name, sys.argv[1:])\n")
    told = subprocess.check_output([program, script, "one two"], text=True)
    assert told == "micropython ['one two']\n"


def test_a_venv_without_ensurepip_gets_pip_from_debian(
    path: Path, put: Put, tmp_path: Path
) -> None:
    """With python3-pip-whl as Debian builds it, around the wheel that Python brings."""
    dpkg_deb = need("dpkg-deb")
    package = tmp_path / "pip.deb"
    make_pip_package(dpkg_deb, tmp_path / "build", package)
    for tool in ("dpkg-deb", "cp", "tar"):
        (path / tool).symlink_to(shutil.which(tool) or tool)
    put("apt-get", _APT_GET.format(package=package))
    put("python", _PYTHON_WITHOUT_ENSUREPIP.format(python=sys.executable))
    venv = tmp_path / "venv"
    done = run(path, ROOT / "tools/venv.sh", "python", venv)
    assert done.returncode == 0, done.stderr
    assert (venv / "bin/pip").exists()


def make_pip_package(dpkg_deb: Path, build: Path, package: Path) -> None:
    """Build a Debian package with the wheel of pip that Python makes venvs with."""
    homes = Path(sysconfig.get_path("stdlib"), "ensurepip/_bundled"), _DEBIANS_WHEELS
    wheel = next((w for home in homes for w in home.glob("pip-*.whl")), None)
    if wheel is None:
        pytest.skip("this Python brings no pip")
    wheels = build / "usr/share/python-wheels"
    wheels.mkdir(parents=True)
    shutil.copy(wheel, wheels)
    (build / "DEBIAN").mkdir()
    (build / "DEBIAN/control").write_text(
        "Package: python3-pip-whl\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody\nDescription: pip\n"
    )
    subprocess.run([dpkg_deb, "-Znone", "--build", build, package], check=True)


def test_a_venv_without_ensurepip_and_debian_tells_what_to_install(
    path: Path, put: Put, tmp_path: Path
) -> None:
    put("python", _PYTHON_WITHOUT_ENSUREPIP.format(python=sys.executable))
    done = run(path, ROOT / "tools/venv.sh", "python", tmp_path / "venv")
    assert done.returncode == 1
    assert "python3-venv" in done.stderr.splitlines()[-1]


def test_a_folder_that_nobody_may_write_to_is_named(path: Path) -> None:
    """Not what Python makes of it; root may write anywhere, so another user tries."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        shutil.copy(ROOT / "tools/venv.sh", folder)
        (folder / "checkout").mkdir(mode=0o555)
        folder.chmod(0o755)
        done = subprocess.run(
            [folder / "venv.sh", sys.executable, ".venv"],
            cwd=folder / "checkout",
            user=None if os.geteuid() else 65534,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"cannot write to {folder}/checkout")


def test_a_venv_that_fails_says_why(tmp_path: Path) -> None:
    """Python's own words, and nothing of a package that would not help."""
    (tmp_path / "venv").write_text("in its place")
    done = run(
        Path(os.environ["PATH"]),
        *(ROOT / "tools/venv.sh", sys.executable, tmp_path / "venv"),
    )
    assert done.returncode != 0
    assert str(tmp_path / "venv") in done.stdout + done.stderr
    assert "ensurepip" not in done.stdout + done.stderr


def test_debian_packages_leave_nothing_behind_on_failure(
    path: Path, put: Put, tmp_path: Path
) -> None:
    put(
        "apt-get",
        '#!/bin/sh\ncase "$*" in *indextargets*) echo mirror;; *) exit 9;; esac\n',
    )
    put("dpkg-deb", "#!/bin/sh\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = ROOT / "tools/debian.sh"
    done = run(path, script, tmp_path / "x", "pkg", TMPDIR=str(scratch))
    assert done.returncode != 0
    assert not list(scratch.iterdir())
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("level", ["", "1"], ids=["from a shell", "within make"])
def test_make_help_lists_every_target(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain `make` lists the targets and nothing else, also if make runs this test."""
    monkeypatch.setenv("MAKELEVEL", level)
    monkeypatch.setenv("MAKEFLAGS", "w" if level else "")
    run = run_make()
    assert run.returncode == 0, run.stderr
    targets = {line.split()[0] for line in run.stdout.splitlines()}
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY"))
    assert targets == set(phony.split()[1:])


def test_ci_runs_what_the_readme_says() -> None:
    """CI proves the very command that a new user runs, with no flag beside it."""
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if "make test" in line] == ["exec make test"]


def test_only_one_helper_starts_make() -> None:
    """Another call would inherit the variables of the make that runs the tests."""
    starts = re.compile(r"""\[\s*["']make["']|which\(["']make["']\)""")
    found = [
        path.relative_to(ROOT)
        for folder in ("tests", "bench")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if starts.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("target", "promise"), [("test", "7 minutes"), ("demo", "10 seconds")]
)
def test_the_first_line_says_how_long_it_takes(target: str, promise: str) -> None:
    """Before anything is set up, on stderr: stdout is what was asked for."""
    run = run_make("--dry-run", "--always-make", target)
    assert run.returncode == 0, run.stderr
    first = run.stdout.splitlines()[0]
    assert first.startswith(f"echo 'make {target}: ")
    assert promise in first
    assert first.endswith(">&2")


def test_what_stands_beside_the_venv_is_not_judged_by_it() -> None:
    """pip would compare what goes into .cache with .venv, and report a conflict."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", "")
    beside = [line for line in makefile.splitlines() if "--target .cache/" in line]
    assert len(beside) == 2
    assert all("$(BESIDE)" in line for line in beside)
    assert "BESIDE := $(BIN)/pip install --quiet --no-deps" in makefile


# Stands in for apt: the first {failures} updates fail; every call is written down.
_SYNCING_APT_GET = """#!/bin/sh
echo "$@" >>"{calls}"
case "$*" in
*update*) test "$(grep -c update "{calls}")" -gt {failures} ;;
*install*) exit {install} ;;
esac
"""


@pytest.mark.parametrize(
    ("failures", "install", "updates"),
    [(0, 0, 1), (2, 0, 3), (99, 0, 4), (99, 100, 4)],
    ids=["works", "works at last", "fails, not needed", "fails, needed"],
)
def test_ci_installs_from_a_mirror_that_is_being_synced(
    failures: int, install: int, updates: int, path: Path, put: Put, tmp_path: Path
) -> None:
    """An update that fails is tried again; in the end the install decides."""
    calls = tmp_path / "calls"
    text = _SYNCING_APT_GET.format(calls=calls, failures=failures, install=install)
    put("apt-get", text)
    put("sleep", "#!/bin/sh\n")
    for tool in ("bash", "grep"):
        (path / tool).symlink_to(shutil.which(tool) or tool)
    done = run(path, ROOT / ".ci/install", "first", "second")
    assert done.returncode == install
    *before, last = calls.read_text().splitlines()
    assert before == ["-qq update"] * updates
    assert last == "-qq install --no-install-recommends first second"
