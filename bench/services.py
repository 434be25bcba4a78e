"""The other ends, real and on loopback: a provisioning server and a broker."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pointctl import certificates
from pointctl.broker import BrokerProcess, find_mosquitto
from pointctl.broker.process import HOST, free_port
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry import devices, products
from pointctl.registry.database import open_database

BOARDS = 4000  # each first boot is another board's
PRODUCT = "pk-bench"
POLICIES = ("open",)


@dataclass
class Services:
    """What boards are told, and the IMEIs that have not been used yet."""

    url: str
    server_port: int
    broker_port: int
    ca: Path
    imeis: Iterator[str]


@contextmanager
def running(path: Path, policy: str) -> Iterator[Services]:
    """A `pointctl serve` and a mosquitto, both with one EC certificate."""
    folder = DataFolder(path)
    files = certificates.init(folder.ca)
    with _mosquitto(path, files) as port:
        _register(folder, port)
        command = [sys.executable, "-m", "pointctl", "serve", "--port", "0"]
        with subprocess.Popen(
            [*command, "--data", str(path)],
            stdout=subprocess.PIPE,
            stderr=(path / "server.log").open("wb"),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as server:
            try:
                assert server.stdout
                ready = json.loads(server.stdout.readline())
                url = f"https://{HOST}:{ready['port']}/v1/access"
                imeis = map(_imei, count())
                yield Services(url, ready["port"], port, files.ca_der, imeis)
            finally:
                server.kill()


@contextmanager
def _mosquitto(path: Path, files: certificates.CaFiles) -> Iterator[int]:
    program = find_mosquitto()
    if program is None:
        raise PointctlError("the bench needs mosquitto: apt install mosquitto")
    port = free_port()
    config = path / "mosquitto.conf"
    lines = [f"listener {port} {HOST}", "allow_anonymous true", "set_tcp_nodelay true"]
    lines += [f"certfile {files.server}", f"keyfile {files.server_key}"]
    lines += ["user root"] if os.geteuid() == 0 else []
    config.write_text("\n".join(lines) + "\n")
    broker = BrokerProcess(
        "mosquitto",
        [str(program), "-c", str(config)],
        port=port,
        ca_file=files.ca,
        login_file=config,
        on_line=lambda line: None,
    )
    broker.start()
    try:
        yield port
    finally:
        broker.stop()


def _register(folder: DataFolder, broker_port: int) -> None:
    with open_database(folder.registry) as database:
        products.add(
            database,
            "Bench",
            product_key=PRODUCT,
            mqtt_host=HOST,
            mqtt_port=broker_port,
            mqtt_ssl=True,
            mqtt_qos=1,
        )
        rows = (devices.checked_row(n, _imei(n), None) for n in range(BOARDS))
        devices.register(database, PRODUCT, rows)


def _imei(serial: int) -> str:
    body = f"86612345{serial:06d}"
    total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(body))
    return f"{body}{-total % 10}"
