"""A whole system on this machine: certificates, registry, server, broker, boards."""

import csv
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pointctl import certificates
from pointctl.boards import flash, micropython
from pointctl.broker import BrokerProcess, find_mosquitto, mosquitto
from pointctl.broker.process import free_port
from pointctl.demo import lines
from pointctl.demo.process import Process
from pointctl.demo.timeline import Timeline
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.devices import device_csv, devices, products
from pointctl.registry.keys.claim_keys import create_master, open_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy

HEAP_BYTES = 128 * 1024  # a small board's; the unix port's own default is 2 MB
DEVICES = Path(__file__).with_name("devices.csv")


class System:
    """The system's folder, and what can be started in it. Made by build_system()."""

    gizwits = False  # whether it is of that cloud (gizwits.py)

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self.runtime = micropython.find()
        self.timeline = timeline
        self.folder = DataFolder(path)
        self.files = certificates.init(self.folder.ca)
        self.server_port = free_port()
        self.broker = self._make_broker()

    def register(self, keep_alive: int | None = None) -> tuple[str, str]:
        """One product and its boards; returns (product key, the first board's IMEI)."""
        create_master(self.folder)
        with open_database(self.folder.registry) as database:
            product = products.add(
                database,
                "Demo meter",
                policy=Policy.DEVICE_KEY,
                mqtt_host="127.0.0.1",
                mqtt_port=self.broker.port,
                mqtt_ssl=True,
                mqtt_qos=1,
                keep_alive=keep_alive,
            )
            key = product.product_key
            with DEVICES.open(encoding=device_csv.ENCODING, newline="") as file:
                done = devices.register(database, key, device_csv.read(file))
        imei = first_imei()
        self.timeline.add("host", "registers", f"product {key} and {done.added} IMEIs")
        return key, imei

    def server(self) -> Process:
        """The provisioning server, as a context; ready at the event of that name."""
        command = [sys.executable, "-m", "pointctl", "serve"]
        command += ["--port", str(self.server_port), "--data", str(self.folder.path)]
        if (
            find_mosquitto()
        ):  # it has to be told of each device; ours reads the registry
            command += ["--mosquitto", f"127.0.0.1:{self.broker.port}"]
            command += ["--mosquitto-login", str(self.broker.login_file)]
            command += ["--mosquitto-ca", str(self.files.ca)]
        return Process("server", command, self.timeline, lines.server)

    def board(self, product_key: str, imei: str) -> "Board":
        """A board as the factory delivers it: firmware, settings, CA and claim key."""
        folder = self.folder.path / f"flash-{imei}"
        settings = {
            "url": f"https://127.0.0.1:{self.server_port}/v1/access",
            "productKey": product_key,
            "ca": "ca.der",
            "spreadS": 0,  # boards that wake alone need not wait for each other
        }
        flash.assemble(
            folder,
            "unix",
            settings,
            self.files.ca_der.read_bytes(),
            claim_key=open_keys(self.folder).derive(product_key, imei),
            libraries=self.runtime.libraries,
        )
        return Board(self.runtime, folder, product_key, imei, self.timeline)

    def _make_broker(self) -> BrokerProcess:
        # mosquitto cannot check what is signed anew each time.
        program = None if self.gizwits else find_mosquitto()
        read = lines.mosquitto if program else lines.embedded

        def on_line(line: str) -> None:
            said = read(line)
            if said:
                self.timeline.add("broker", *said)

        folder = self.folder.path / "broker"
        common: dict[str, Any] = {
            "port": free_port(),
            "certificate": self.files.server,
            "key": self.files.server_key,
            "ca_file": self.files.ca,
            "on_line": on_line,
        }
        if program:
            return mosquitto.broker(program, folder, **common)
        try:
            from pointctl.broker import embedded
        except ImportError as error:
            raise PointctlError(
                "the broker for machines without mosquitto is not here: pip install "
                "'pointaccess[demo]', or apt-get install mosquitto where that will do"
            ) from error
        registry = self.folder.registry
        return embedded.broker(
            folder, registry=registry, gizwits=self.gizwits, **common
        )


class Board:
    """One board: a flash folder, and an IMEI that no flash can change."""

    def __init__(
        self,
        runtime: micropython.MicroPython,
        flash_folder: Path,
        product_key: str,
        imei: str,
        timeline: Timeline,
    ) -> None:
        self.flash = flash_folder
        self.product_key = product_key
        self.imei = imei
        self._runtime = runtime
        self._timeline = timeline

    def power_on(self) -> Process:
        """A boot, as a context; to leave it is to pull the plug."""
        self._timeline.add("board", "power on", f"IMEI {self.imei}")
        heap = f"heapsize={HEAP_BYTES}"
        return Process(
            "board",
            [self._runtime.command, "-X", heap, "-c", "import boot, main"],
            self._timeline,
            lines.board,
            cwd=self.flash,
            environment={"POINTACCESS_IMEI": self.imei, "MICROPYPATH": ":.frozen:lib"},
        )


def first_imei() -> str:
    """The IMEI of the demo's first board."""
    with DEVICES.open(encoding=device_csv.ENCODING, newline="") as file:
        return next(csv.DictReader(file))["imei"]


@contextmanager
def build_system(timeline: Timeline, kind: type[System] = System) -> Iterator[System]:
    """A System in a folder of its own, its broker running; nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="pointaccess-demo-") as name:
        made = kind(Path(name), timeline)
        broker = made.broker
        broker.start()
        timeline.add("broker", "ready", f"{broker.name}, TLS on port {broker.port}")
        try:
            yield made
        finally:
            broker.stop()
