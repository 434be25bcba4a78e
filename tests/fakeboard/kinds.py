"""The kinds of fake boards, and how they differ as seen over the cable."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import runtimes

SHIMS = runtimes.ROOT / "tests/shims"
LIBRARIES = runtimes.ROOT / ".cache/micropython-lib"
_HELP = b'Type "help()" for more information.'
# MicroPython has these names built in: a shim on the path cannot replace them.
_KEPT = ("uos", "usocket", "utime")


@dataclass(frozen=True)
class Kind:
    """A kind of board; everything else is as in the runtime."""

    platform: str
    uname: tuple[str, ...]
    banner: bytes  # of the friendly REPL
    rom: bytes = b""  # printed before MicroPython starts at power-up
    raw_paste: bool = True  # it answers the request for raw paste
    heap: int = (
        384 * 1024
    )  # on 64 bits objects are twice as large, and shims use it, too
    folder: str = ""  # the folder of the flash with the programs
    starts: tuple[str, ...] = ("boot.py", "main.py")  # what runs at a start
    path: tuple[str, ...] = ("", ".frozen", "/lib")
    version: tuple[int, ...] = ()  # of MicroPython, if other than the runtime's
    lacks: Path | None = None  # a folder of modules that cannot be imported
    firmware: tuple[Path, ...] = ()  # folders with shims; the first one wins
    resets: str = ""  # the function that restarts the board, as module.name
    own_usb: bool = (
        False  # the port belongs to the chip, and goes away when it restarts
    )

    def setup(self) -> Mapping[str, Any]:
        """Return the settings for inside/run.py."""
        return {
            "platform": self.platform,
            "uname": self.uname,
            "path": self.path,
            "version": self.version,
            "lacks": str(self.lacks or ""),
            "resets": self.resets,
            "paths": [*map(str, self.firmware), str(runtimes.ROOT)],
            "standins": self._standins(),
        }

    def _standins(self) -> list[tuple[str, str]]:
        """Return (module, file) pairs; those with a file, off the path, come first."""
        found: dict[str, str] = {}
        for folder in self.firmware:
            for file in sorted(folder.rglob("*.py")):
                name = ".".join(file.relative_to(folder).with_suffix("").parts)
                found.setdefault(name, str(file) if name in _KEPT else "")
        return sorted(found.items(), key=lambda each: not each[1])


KINDS = {
    "esp32": Kind(
        platform="esp32",
        uname=("esp32", "esp32", "1.25.0", "v1.25.0", "ESP32 by tests.fakeboard"),
        banner=b"MicroPython v1.25.0; ESP32 by tests.fakeboard\r\n" + _HELP,
        rom=b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n",
        firmware=(SHIMS / "esp32", LIBRARIES),
        resets="machine.reset",
    ),
    "quecpython": Kind(
        platform="EC600U",
        uname=(
            "sysname=EC600U-EUAB",
            "nodename=EC600U",
            "release=1.13.0",
            "version=v1.13 on 2021-10-12",
            "machine=EC600U with QUECTEL",
            "qpyver=V0001",
        ),
        banner=b"MicroPython v1.13; EC600U by tests.fakeboard\r\n" + _HELP,
        raw_paste=False,
        folder="usr",
        starts=("usr/main.py",),
        path=("",),
        version=(1, 13, 0),
        lacks=SHIMS
        / "quecpython_unames",  # it has no weak links: there is ujson, but no json
        firmware=(SHIMS / "quecpython_old", SHIMS / "quecpython"),
        resets="misc.Power.powerRestart",
        own_usb=True,
    ),
    "unix": Kind(
        platform="linux",
        uname=("Linux", "unix", "1.25.0", "v1.25.0", "MicroPython by tests.fakeboard"),
        banner=b"MicroPython v1.25.0; unix by tests.fakeboard\r\n" + _HELP,
        firmware=(LIBRARIES,),
    ),
}
