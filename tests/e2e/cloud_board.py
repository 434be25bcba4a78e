"""A board on the real MicroPython whose credentials come from a stand-in of a cloud."""

import shutil
from pathlib import Path
from typing import Any

from pointctl.boards import flash, micropython
from pointctl.demo import lines
from pointctl.demo.process import Process
from pointctl.demo.system import HEAP_BYTES
from pointctl.demo.timeline import Timeline
from tests import runtimes

# A board whose clock is so many times as fast: nobody waits for its waits.
PROGRAM = """
from point import compat
ticks, sleep = compat.ticks_ms, compat.sleep_ms
compat.ticks_ms = lambda: ticks() * {0}
compat.sleep_ms = lambda ms: sleep(ms // {0})
import boot, main
"""
SPEED = 10
EXAMPLES = runtimes.ROOT / "examples"


class Power(Process):
    """A boot, as a context."""

    def kill(self) -> None:
        """Pull the plug: SIGKILL."""
        self._process.kill()
        self._process.wait()


class Board:
    """One board: a flash folder, an IMEI, and what its settings.json says."""

    def __init__(
        self,
        folder: Path,
        timeline: Timeline,
        imei: str,
        ca: bytes,
        settings: dict[str, Any],
        example: str | None = None,
    ) -> None:
        self.flash = folder
        self._imei = imei
        self._timeline = timeline
        self._runtime = micropython.find()
        settings = {"ca": "ca.der", "spreadS": 0} | settings
        libraries = self._runtime.libraries
        flash.assemble(folder, "unix", settings, ca, libraries=libraries)
        if example:
            shutil.copy(EXAMPLES / example / "main.py", folder)

    def power_on(self, speed: int = SPEED) -> Power:
        """A boot; to leave it is to pull the plug."""
        heap = f"heapsize={HEAP_BYTES}"
        self._timeline.add("board", "power on", self._imei)
        return Power(
            "board",
            [self._runtime.command, "-X", heap, "-c", PROGRAM.format(speed)],
            self._timeline,
            lines.read_board,
            cwd=self.flash,
            environment={
                "POINTACCESS_IMEI": self._imei,
                "MICROPYPATH": ":.frozen:lib",
            },
        )

    def erase(self) -> None:
        """As if the flash had been formatted, but for what deployment wrote."""
        for name in ("credentials.*", "pending.*"):
            for file in self.flash.glob(name):
                file.unlink()
