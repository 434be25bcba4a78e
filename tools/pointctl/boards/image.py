"""The firmware for a board as bytes: source or compiled, with one's own program."""

from pathlib import Path

from point import __version__
from pointctl.boards import flash, micropython, mpy
from pointctl.boards.deploy import Firmware
from pointctl.boards.onboard import Facts
from pointctl.errors import PointctlError


def firmware(
    kind: str, facts: Facts, *, source: bool = False, main: Path | None = None
) -> Firmware:
    """What goes on a board of this kind: .mpy for its MicroPython, or .py if `source`.

    QuecPython always gets source: which .mpy its builds load differs. `main` is a
    program to start instead of main.py. Raises PointctlError where nothing can compile
    for this board.
    """
    # All but the unix port bring umqtt in their firmware.
    libraries = micropython.find().libraries if kind == "unix" else None
    root = flash.root(kind)
    files = {
        path.removeprefix(root): found
        for path, found in flash.files(kind, libraries).items()
    }
    if main:
        files[flash.program(kind)] = main
    if source or kind == "quecpython":
        made = {path: found.read_bytes() for path, found in files.items()}
    elif not facts.mpy:
        raise PointctlError("the board loads no .mpy; deploy Python with --source")
    else:
        made = mpy.compiled(files, mpy.find(facts.mpy))
    return Firmware(kind, __version__, made)
