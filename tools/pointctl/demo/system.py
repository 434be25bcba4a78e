"""A whole system on this machine: certificates, registry, server, broker, boards."""

import csv
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pointctl import certificates
from pointctl.boards import flash, micropython
from pointctl.broker import BrokerProcess, embedded, find_mosquitto, mosquitto
from pointctl.broker.process import free_port
from pointctl.demo import lines
from pointctl.demo.lines import LineEvent
from pointctl.demo.process import Process
from pointctl.demo.timeline import Timeline
from pointctl.folder import DataFolder
from pointctl.registry.devices import device_csv, devices, products
from pointctl.registry.keys.claim_keys import create_master, open_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy

HEAP_BYTES = 128 * 1024  # a small board's; the unix port's own default is 2 MB
DEVICES = Path(__file__).with_name("devices.csv")


class System:
    """The system's folder, and what can be started in it. Made by build_system()."""

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self.runtime = micropython.find()
        self.timeline = timeline
        self.folder = DataFolder(path)
        self.files = certificates.init(self.folder.ca)
        self.server_port = free_port()
        self.broker = self.make_broker()

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
        # mosquitto needs an account for each device; ours asks the registry.
        if find_mosquitto():
            command += ["--mosquitto", f"127.0.0.1:{self.broker.port}"]
            command += ["--mosquitto-login", str(self.broker.login_file)]
            command += ["--mosquitto-ca", str(self.files.ca)]
        return Process("server", command, self.timeline, lines.read_server)

    def board(self, product_key: str, imei: str) -> "DemoBoard":
        """A board as it leaves the factory: firmware, settings, CA and claim key."""
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
        return DemoBoard(self.runtime, folder, product_key, imei, self.timeline)

    def make_broker(self) -> BrokerProcess:
        """The broker that boards connect to: mosquitto where there is one."""
        program = find_mosquitto()
        folder, port, files = self.folder.path / "broker", free_port(), self.files
        if program:
            return mosquitto.broker(
                program,
                folder,
                port=port,
                certificate=files.server,
                key=files.server_key,
                ca_file=files.ca,
                on_line=self.broker_lines(lines.read_mosquitto),
            )
        return embedded.broker(
            folder,
            port=port,
            certificate=files.server,
            key=files.server_key,
            ca_file=files.ca,
            registry=self.folder.registry,
            on_line=self.broker_lines(lines.read_embedded),
        )

    def broker_lines(
        self, read: Callable[[str], LineEvent | None]
    ) -> Callable[[str], None]:
        """What puts a broker's lines, as `read` reads them, on the timeline."""

        def on_line(line: str) -> None:
            event = read(line)
            if event:
                self.timeline.add("broker", *event)

        return on_line


class DemoBoard:
    """One board: a flash folder, and an IMEI that is not in the flash."""

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
        """A boot, as a context; to leave it is to cut the power."""
        self._timeline.add("board", "power on", f"IMEI {self.imei}")
        heap = f"heapsize={HEAP_BYTES}"
        return Process(
            "board",
            [self._runtime.command, "-X", heap, "-c", "import boot, main"],
            self._timeline,
            lines.read_board,
            cwd=self.flash,
            environment={"POINTACCESS_IMEI": self.imei, "MICROPYPATH": ":.frozen:lib"},
        )


def first_imei() -> str:
    """The IMEI of the demo's first board."""
    with DEVICES.open(encoding=device_csv.ENCODING, newline="") as file:
        return next(csv.DictReader(file))["imei"]


@contextmanager
def build_system(timeline: Timeline, kind: type[System] = System) -> Iterator[System]:
    """A System in a temporary folder, its broker running; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="pointaccess-demo-") as name:
        made = kind(Path(name), timeline)
        broker = made.broker
        broker.start()
        timeline.add("broker", "ready", f"{broker.name}, TLS on port {broker.port}")
        try:
            yield made
        finally:
            broker.stop()
