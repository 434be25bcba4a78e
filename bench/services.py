"""The other ends, real and on loopback: a provisioning server and a broker."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pointctl import certificates
from pointctl.broker import BrokerProcess, find_mosquitto
from pointctl.broker.process import HOST, free_port
from pointctl.children import Child
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.devices import devices, products
from pointctl.registry.keys import claim_keys as keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy

BOARDS = 3000  # of each product: every first boot is another board's
PRODUCT, SEEDS = "pk-bench", "pk-seed"  # the seed's snippet can prove nothing
POLICIES = [policy.value for policy in reversed(Policy)]


@dataclass
class Services:
    """What boards are told, and the IMEIs of each product that are still new."""

    url: str
    server_port: int
    broker_port: int
    ca: Path
    imeis: dict[str, Iterator[str]]
    policy: Policy
    claim_keys: keys.ClaimKeys
    product_secret: str


@contextmanager
def running(path: Path, policy: str) -> Iterator[Services]:
    """A `pointctl serve` and a mosquitto, both with one EC certificate."""
    folder = DataFolder(path)
    files = certificates.init(folder.ca)
    with _mosquitto(path, files) as port:
        keys.create_master(folder)
        secret = _register(folder, port, Policy(policy))
        command = [sys.executable, "-m", "pointctl", "serve", "--port", "0"]
        with Child[bytes](
            [*command, "--data", str(path)],
            stdout=subprocess.PIPE,
            stderr=(path / "server.log").open("wb"),
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as server:
            try:
                assert server.stdout
                ready = json.loads(server.stdout.readline())
                _drain(server)
                yield Services(
                    url=f"https://{HOST}:{ready['port']}/v1/access",
                    server_port=ready["port"],
                    broker_port=port,
                    ca=files.ca_der,
                    imeis={name: _imeis(name) for name in (PRODUCT, SEEDS)},
                    policy=Policy(policy),
                    claim_keys=keys.open_keys(folder),
                    product_secret=secret,
                )
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


def _register(folder: DataFolder, broker_port: int, policy: Policy) -> str:
    with open_database(folder.registry) as database:
        for name, how in (SEEDS, Policy.OPEN), (PRODUCT, policy):
            product = products.add(
                database,
                name,
                product_key=name,
                policy=how,
                mqtt_host=HOST,
                mqtt_port=broker_port,
                mqtt_ssl=True,
                mqtt_qos=1,
            )
            rows = (devices.validate_row(0, imei, None) for imei in _imeis(name))
            devices.register(database, name, rows)
        return products.decrypt_secret(database.vault, product) or ""


def _imeis(product: str) -> Iterator[str]:
    for serial in range(BOARDS):
        body = f"866123{product == PRODUCT:d}{serial:07d}"
        total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(body))
        yield f"{body}{-total % 10}"


def _drain(server: subprocess.Popen[bytes]) -> None:
    """Read what else it logs: a full pipe would stop it."""
    assert server.stdout
    threading.Thread(target=server.stdout.read, daemon=True).start()
