"""The story that the demo tells, and the figures that come out of it."""

import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pointctl import certificates
from pointctl.boards import flash, micropython
from pointctl.broker import BrokerProcess, embedded, find_mosquitto, mosquitto
from pointctl.broker.process import free_port
from pointctl.demo import lines
from pointctl.demo.operator import Operator
from pointctl.demo.process import Process
from pointctl.demo.timeline import Timeline
from pointctl.folder import DataFolder
from pointctl.registry import csvfile, devices, products
from pointctl.registry.database import open_database

HEAP_BYTES = 128 * 1024  # a small board's; the unix port's own default is 2 MB
DEVICES = Path(__file__).with_name("devices.csv")


@dataclass(frozen=True)
class Boot:
    """What one boot came to; the milliseconds count from power-on."""

    code: str
    provision_requests: int
    fetched_ms: float
    connected_ms: float
    published: int
    received: int
    source: str


@dataclass(frozen=True)
class Outcome:
    """What the whole demo came to."""

    runtime: str
    heap_bytes: int
    broker: str
    imei: str
    boots: list[Boot]

    @property
    def ok(self) -> bool:
        """Whether the demo showed what it is there to show."""
        sources = [boot.source for boot in self.boots]
        asked = [boot.provision_requests > 0 for boot in self.boots]
        return (sources, asked) == (["server", "flash"], [True, False]) and all(
            boot.published and boot.received for boot in self.boots
        )

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "ok": self.ok}


def play(timeline: Timeline) -> Outcome:
    """Run the demo from set-up to the second boot; nothing of it is left behind.

    Raises PointctlError where something that should have happened did not.
    """
    runtime = micropython.find()
    with tempfile.TemporaryDirectory(prefix="pointaccess-demo-") as name:
        folder = DataFolder(Path(name))
        files = certificates.init(folder.ca)
        timeline.chapter("Set-up")
        with _broker(folder, files, timeline) as broker:
            key, imei = _register(folder, broker.port, timeline)
            with Operator(broker.port, files.ca, broker.login_file, timeline) as host:
                board = _Board(runtime, folder.path / "flash", imei, key, timeline)
                with _server(folder, files, broker, timeline) as server:
                    port = timeline.require("server", "ready", server.alive).detail
                    board.assemble(f"https://127.0.0.1:{port}/v1/access", files.ca_der)
                    timeline.chapter("First boot: nothing in flash")
                    first = board.boot(host)
                timeline.chapter("Second boot: the provisioning server is stopped")
                second = board.boot(host)
            return Outcome(
                f"MicroPython {runtime.version}",
                HEAP_BYTES,
                broker.name,
                imei,
                [first, second],
            )


@contextmanager
def _broker(
    folder: DataFolder, files: certificates.CaFiles, timeline: Timeline
) -> Iterator[BrokerProcess]:
    program = find_mosquitto()
    read = lines.mosquitto if program else lines.embedded

    def on_line(line: str) -> None:
        said = read(line)
        if said:
            timeline.add("broker", *said)

    common: dict[str, Any] = {
        "port": free_port(),
        "certificate": files.server,
        "key": files.server_key,
        "ca_file": files.ca,
        "on_line": on_line,
    }
    if program:
        broker = mosquitto.broker(program, folder.path / "broker", **common)
    else:
        broker = embedded.broker(
            folder.path / "broker", registry=folder.registry, **common
        )
    broker.start()
    timeline.add("broker", "ready", f"{broker.name}, TLS on port {broker.port}")
    try:
        yield broker
    finally:
        broker.stop()


def _register(
    folder: DataFolder, broker_port: int, timeline: Timeline
) -> tuple[str, str]:
    """One product and its boards; returns (product key, the first board's IMEI)."""
    with open_database(folder.registry) as database:
        product = products.add(
            database,
            "Demo meter",
            mqtt_host="127.0.0.1",
            mqtt_port=broker_port,
            mqtt_ssl=True,
            mqtt_qos=1,
        )
        key = product.product_key
        with DEVICES.open(encoding=csvfile.ENCODING, newline="") as file:
            done = devices.register(database, key, csvfile.read(file))
    with DEVICES.open(encoding=csvfile.ENCODING, newline="") as file:
        imei = next(csv.DictReader(file))["imei"]
    timeline.add("host", "registers", f"product {key} and {done.added} IMEIs")
    return key, imei


def _server(
    folder: DataFolder,
    files: certificates.CaFiles,
    broker: BrokerProcess,
    timeline: Timeline,
) -> Process:
    command = [sys.executable, "-m", "pointctl", "serve", "--port", "0"]
    command += ["--data", str(folder.path)]
    if find_mosquitto():  # it has to be told of each device; ours reads the registry
        command += ["--mosquitto", f"127.0.0.1:{broker.port}"]
        command += ["--mosquitto-login", str(broker.login_file)]
        command += ["--mosquitto-ca", str(files.ca)]
    return Process("server", command, timeline, lines.server)


class _Board:
    """One board: a flash folder, and an IMEI that no flash can change."""

    def __init__(
        self,
        runtime: micropython.MicroPython,
        folder: Path,
        imei: str,
        product_key: str,
        timeline: Timeline,
    ) -> None:
        self._runtime = runtime
        self._folder = folder
        self._imei = imei
        self._key = product_key
        self._timeline = timeline

    def assemble(self, url: str, ca: Path) -> None:
        """Put the firmware and its settings into the flash."""
        settings = {"url": url, "productKey": self._key, "ca": "ca.der"}
        flash.assemble(
            self._folder,
            "unix",
            settings,
            ca.read_bytes(),
            self._runtime.libraries,
        )

    def boot(self, host: Operator) -> Boot:
        """Power on, let it do its work, send it a message, pull the plug."""
        timeline = self._timeline
        timeline.add("board", "power on", f"IMEI {self._imei}")
        heap = f"heapsize={HEAP_BYTES}"
        with Process(
            "board",
            [self._runtime.command, "-X", heap, "-c", "import boot, main"],
            timeline,
            lines.board,
            cwd=self._folder,
            environment={"POINTACCESS_IMEI": self._imei, "MICROPYPATH": ":.frozen:lib"},
        ) as board:
            fetched = timeline.require("board", "credentials", board.alive)
            connected = timeline.require("board", "connected", board.alive)
            timeline.require("board", "published", board.alive)
            timeline.require("host", "receives", board.alive)
            host.send(f"{self._key}/{self._imei}/down", json.dumps({"light": "on"}))
            timeline.require("board", "received", board.alive)
        code, source = fetched.detail.split(maxsplit=1)
        return Boot(
            code,
            timeline.count("server", "access"),
            round(fetched.ms, 1),
            round(connected.ms, 1),
            timeline.count("host", "receives"),
            timeline.count("board", "received"),
            source,
        )
