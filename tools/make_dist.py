"""Build what people download: pointctl as wheel and sdist, a zip for each board, and
SHA256SUMS over all of them.

The same sources give the same bytes: files are sorted, and their time is
SOURCE_DATE_EPOCH, or else a fixed one, as hatchling does it for the wheel.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import point
from pointctl.boards import flash, mpy

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"
MPY = 6  # MicroPython 1.19 and newer; of plain bytecode the sub-version is free
_EPOCH = 1580601600  # hatchling's own: 2020-02-02
_PAGES = {"LICENSE": ROOT / "LICENSE", "README.md": ROOT / "docs/downloads.md"}


class Zip(NamedTuple):
    """One of the zips: for which board, in which form, with which pages beside it."""

    board: str
    form: str
    pages: Mapping[str, Path] = _PAGES

    @property
    def name(self) -> str:
        """The file's name, without what all have in common."""
        return f"{self.board}-{self.form}"

    def content(self) -> dict[str, bytes]:
        """What is in it, by path; a board's files stand as they do on the board."""
        files = flash.files(self.board)
        if self.form == "py":
            on_board = {path: source.read_bytes() for path, source in files.items()}
        else:
            on_board = mpy.compile_files(files, mpy.find(MPY))
        # What stands at a board's root gets a folder; /usr is one.
        under = "flash" if flash.root(self.board) == "/" else ""
        found = {(under + path).lstrip("/"): data for path, data in on_board.items()}
        samples = (ROOT / "firmware" / self.board).glob("*.sample.json")
        beside = {f"samples/{sample.name}": sample for sample in samples}
        beside |= self.pages
        return found | {name: page.read_bytes() for name, page in beside.items()}


ZIPS = (
    Zip("esp32", f"mpy{MPY}"),
    Zip("esp32", "py"),
    Zip("quecpython", "py", _PAGES | {"MERGE.md": ROOT / "docs/merging.md"}),
    Zip("unix", "py"),
)


def epoch() -> int:
    """The time that every file has: Unix seconds."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", _EPOCH))


def write_zip(target: Path, content: Mapping[str, bytes]) -> None:
    """Write `content` in the order of its names, with nothing of this machine in it."""
    date = time.gmtime(epoch())[:6]
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, date)
            entry.create_system = 3  # Unix, also where this is built on Windows
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content[name])


def build_python(folder: Path) -> None:
    """The wheel and the sdist of pointctl, from the checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch())}
    subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
    )


def untracked(folder: Path) -> list[str]:
    """What the sdist in `folder` holds and git does not know; empty without git's data.

    The wheel and the zips hold nothing that the sdist does not hold.
    """
    if not (ROOT / ".git").exists():
        return []
    # The owner may be another than who builds, in a container for example.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    known = {*listed.stdout.decode().split("\0"), "PKG-INFO"}
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    return sorted(set(names) - known)


def build_zips(folder: Path) -> None:
    """The zip of each board and form, with the version in its name."""
    for each in ZIPS:
        target = folder / f"pointaccess-{each.name}-{point.__version__}.zip"
        write_zip(target, each.content())


def write_sums(folder: Path) -> str:
    """SHA256SUMS over what is in `folder`, for `sha256sum --check`; its text."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(folder.iterdir())
    ]
    text = "".join(lines)
    (folder / SUMS).write_text(text, encoding="utf-8")
    return text


def main(arguments: list[str]) -> int:
    """Build all of it into a new folder and print its sums; 1 if that is refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "dist")
    parser.add_argument(
        "--tracked", action="store_true", help="refuse files that git does not know"
    )
    options = parser.parse_args(arguments)
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        print(f"{folder} is not empty: remove it first", file=sys.stderr)
        return 1
    build_python(folder)
    if options.tracked and (found := untracked(folder)):
        shutil.rmtree(folder)
        told = "git does not know these files: add them to it, or move them away"
        print(f"{told}:\n  " + "\n  ".join(found), file=sys.stderr)
        return 1
    build_zips(folder)
    print(write_sums(folder), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
