"""What lies in a checkout beside its sources reaches nobody: no archive, no board."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtimes import ROOT, need

CANARY = b"canary of " + b"a secret"  # in two: the sdist holds this file
# What our own tools make, what boards keep, and what people call such files.
NAMES = (
    "claim-keys/490154203237518.key",
    "ca/ca.key",
    ".env",
    "backup.tar.gz",
    "board.json",
    "claim-master",
    "claim.key",
    "credentials.0",
    "credentials.json",
    "database-key",
    "devices.csv",
    "id_rsa",
    "notes.txt",
    "pool.xlsx",
    "registry.sqlite",
    "registry.sqlite-wal",
    "secret.pem",
    "settings.json",
)
# Of a checkout, what is no source: set-ups, caches, and what was built before.
_NO_SOURCE = (".git", ".venv", ".cache", ".*_cache", ".hypothesis", "build", "dist")

_DEPLOYED = """
import json
from pathlib import Path
from manifests import manifest_py, package_json
from pointctl.boards import flash

copied = set()
for board in ("esp32", "quecpython", "template", "unix"):
    copied.update(flash.files(board).values())
named = {flash.CHECKOUT / name for name, _ in json.loads(package_json())["urls"]}
assert flash.CHECKOUT == Path.cwd(), flash.CHECKOUT
exec(manifest_py(), {
    "metadata": lambda **_: None,
    "options": type("", (), {"board": "esp32", "defaults": lambda **_: None}),
    "package": lambda n, files: named.update(flash.CHECKOUT / n / f for f in files),
    "module": lambda n, base_path=".": named.add(flash.CHECKOUT / base_path / n),
})
print(*sorted(copied | named), sep="\\n")
"""


def environment(checkout: Path) -> dict[str, str]:
    """Of a process that imports what is in this checkout."""
    return os.environ | {"PYTHONPATH": f"{checkout}:{checkout / 'tools'}"}


def copy(target: Path) -> Path:
    """Another checkout, of the same sources."""
    ignored = shutil.ignore_patterns(*_NO_SOURCE, "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, target, ignore=ignored, symlinks=True)
    return target


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with secrets in every folder of it, all but one way not ignored."""
    made = copy(tmp_path_factory.mktemp("checkout") / "here")
    (made / ".gitignore").write_text("# as if nothing were ignored\n")
    folders = [made, *(path for path in made.rglob("*") if path.is_dir())]
    for folder in folders:
        for name in NAMES:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            if not path.exists():
                path.write_bytes(CANARY)
    assert len(folders) > 50
    return made


def members(artefact: Path) -> Iterator[tuple[str, bytes]]:
    """Every file in an archive, and its content."""
    if artefact.suffix == ".gz":
        with tarfile.open(artefact) as archive:
            for entry in archive:
                if file := archive.extractfile(entry):
                    yield entry.name, file.read()
    elif artefact.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(artefact) as zipped:
            for name in zipped.namelist():
                yield name, zipped.read(name)
    else:
        yield artefact.name, artefact.read_bytes()


def test_no_artefact_holds_a_secret(checkout: Path, tmp_path: Path) -> None:
    """Neither wheel nor sdist nor zip, though git ignores none of the files."""
    dist = tmp_path / "dist"
    subprocess.run(
        [sys.executable, checkout / "tools/make_dist.py", dist],
        env=environment(checkout),
        check=True,
        capture_output=True,
        timeout=240,
    )
    artefacts = sorted(dist.iterdir())
    assert len(artefacts) == 7
    held = [(one.name, *entry) for one in artefacts for entry in members(one)]
    assert len(held) > 1000
    assert [(one, name) for one, name, data in held if CANARY in data] == []


def test_nothing_secret_goes_onto_a_board(checkout: Path) -> None:
    """What deployment copies, mip installs and MicroPython freezes are sources."""
    printed = subprocess.check_output(
        [sys.executable, "-c", _DEPLOYED],
        cwd=checkout,
        env=environment(checkout),
        text=True,
    )
    files = [Path(line) for line in printed.splitlines()]
    assert len(files) > 70
    assert [file for file in files if CANARY in file.read_bytes()] == []


def test_the_include_list_misses_nothing(tmp_path: Path) -> None:
    """The sdist holds every file that git knows."""
    known = subprocess.run(
        [need("git"), "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if known.returncode:
        pytest.skip("this is no checkout: git knows none of its files")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (sdist,) = tmp_path.glob("*.tar.gz")
    held = {name.partition("/")[2] for name, _ in members(sdist)}
    there = {name for name in known.stdout.split("\0") if (ROOT / name).is_file()}
    assert there - held == set()


def test_what_git_does_not_know_is_refused(tmp_path: Path) -> None:
    """make dist ships no source that nobody has committed; it says which it is."""
    git = need("git")
    made = copy(tmp_path / "here")
    for command in (["init", "-q"], ["add", "--all"]):
        subprocess.run([git, *command], cwd=made, check=True)
    (made / "firmware/esp32/wifi_password.py").write_bytes(b"X = '" + CANARY + b"'\n")
    dist = tmp_path / "dist"
    done = subprocess.run(
        [sys.executable, made / "tools/make_dist.py", "--tracked", dist],
        env=environment(made),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.strip() == "firmware/esp32/wifi_password.py"
    assert not dist.exists()


def test_git_ignores_what_our_tools_make(tmp_path: Path) -> None:
    """The second line of defence: `git add --all` takes none of it."""
    git = need("git")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run([git, "init", "-q"], cwd=tmp_path, check=True)
    ours = ["claim-keys/490154203237518.key", "ca/ca.key", ".env", "claim-master"]
    ours += ["claim.key", "credentials.0", "database-key", "settings.json"]
    ours += ["registry.sqlite", "registry.sqlite-wal", "firmware/esp32/secrets.py"]
    for name in ours:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(CANARY)
    shown = subprocess.check_output(
        [git, "status", "--porcelain", "--untracked-files=all"], cwd=tmp_path, text=True
    )
    assert shown == "?? .gitignore\n"
