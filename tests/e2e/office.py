"""Where boards are deployed from: a data folder, a server that runs, and pointctl."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pointctl import __main__, certificates
from pointctl.certificates import CaFiles
from tests.fakeboard.board import FakeBoard, Faults, fake_board
from tests.host.serving import Server, imei

PRODUCT = "meter"
WIRING = {"modem": {"tx": 17, "rx": 16, "apn": "iot"}}  # of the esp32 kind
_CLOCK = {"esp32": {"apn": "iot", "clock": "26/11/22,16:30:12+32", "gated": True}}


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed on stdout, parsed."""
        return json.loads(self.out)


class Office:
    """A registry with one product of the policy device-key, and its server."""

    def __init__(self, folder: Path, authority: CaFiles) -> None:
        self.folder = folder
        self.authority = authority
        self.data = folder / "data"
        self.settings = folder / "settings.json"
        self.wiring = folder / "board.json"
        self.wiring.write_text(json.dumps(WIRING))
        adding = ("products", "add", "Meter", "--key", PRODUCT)
        assert self.pointctl(*adding, "--mqtt-host", "localhost").code == 0
        self.server = Server(self.data, authority)
        self.settings.write_text(
            json.dumps(
                {
                    "url": f"{self.server.url}/v1/access",
                    "productKey": PRODUCT,
                    "ca": "ca.der",
                    "spreadS": 0,
                }
            )
        )

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Start a command as a process of its own, which can be interrupted."""
        return subprocess.Popen(
            [sys.executable, "-m", "pointctl", *map(str, arguments)],
            env={**os.environ, "POINTCTL_DATA": str(self.data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pointctl(self, *arguments: str | Path) -> Finished:
        """Run a command in this process, through main()."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setenv("POINTCTL_DATA", str(self.data))
            try:
                __main__.main([str(argument) for argument in arguments])
            except SystemExit as stopped:
                code = int(stopped.code or 0)
        return Finished(code, out.getvalue(), err.getvalue())

    def register(self, serial: int) -> str:
        """A device of the product; its IMEI."""
        added = self.pointctl("devices", "add", imei(serial), "--product", PRODUCT)
        assert added.code == 0, added.err
        return imei(serial)

    def setup(self, kind: str) -> tuple[str | Path, ...]:
        """The options of boards deploy that give a board of this kind its setup."""
        options = "--settings", self.settings, "--ca", self.authority.ca
        return (*options, "--wiring", self.wiring) if kind == "esp32" else options

    def deploy(
        self, board: FakeBoard, kind: str, *more: str | Path, setup: bool = True
    ) -> Finished:
        """boards deploy, with the setup that belongs to it."""
        options = (*(self.setup(kind) if setup else ()), *more)
        return self.pointctl("boards", "deploy", board.port, "--board", kind, *options)

    @contextlib.contextmanager
    def board(
        self, kind: str, flash: Path, board: str, faults: Faults | None = None
    ) -> Iterator[FakeBoard]:
        """A board with this IMEI, whose network knows the time."""
        flash.mkdir(exist_ok=True)
        script = self.folder / f"{kind}.json"
        script.write_text(json.dumps(_CLOCK.get(kind, {})))
        environment = {"SHIM_SCRIPT": str(script)}
        with fake_board(
            kind, flash, imei=board, faults=faults, environment=environment
        ) as made:
            yield made


@contextlib.contextmanager
def office(folder: Path) -> Iterator[Office]:
    """An Office, its server stopped at the end."""
    made = Office(folder, certificates.init(folder / "ca"))
    try:
        yield made
    finally:
        made.server.stop()
