"""Build the firmware of a board: source or .mpy, with main.py or the user's program."""

from pathlib import Path

from point import __version__
from pointctl.boards import flash, micropython, mpy
from pointctl.boards.deploy import Firmware
from pointctl.boards.kinds import BoardKind
from pointctl.boards.remote_board import Facts
from pointctl.errors import PointctlError


def build(
    kind: str, facts: Facts, *, source: bool = False, main: Path | None = None
) -> Firmware:
    """Build the firmware for a board: .mpy for its MicroPython, or .py if `source`.

    QuecPython always gets source, because its builds load different .mpy versions.
    `main` is a program to start instead of main.py. Raises PointctlError if no compiler
    fits this board.
    """
    # All but the unix port have umqtt in their firmware.
    libraries = micropython.find().libraries if kind == BoardKind.UNIX else None
    root = flash.root(kind)
    files = {
        path.removeprefix(root): found
        for path, found in flash.files(kind, libraries).items()
    }
    if main:
        files[flash.program(kind)] = main
    if source or kind == BoardKind.QUECPYTHON:
        built = {path: found.read_bytes() for path, found in files.items()}
    elif not facts.mpy:
        raise PointctlError("the board loads no .mpy; deploy Python with --source")
    else:
        built = mpy.compile_files(files, mpy.find(facts.mpy))
    return Firmware(kind, __version__, built)
