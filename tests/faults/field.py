"""A real pointctl server with as many boards as a suite wants, and their process."""

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pointctl import certificates
from pointctl.folder import DataFolder
from pointctl.registry.devices import devices, products
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Credential, Device, Policy
from pointctl.registry.storage.vault import bind_device
from tests.faults.bench import environment, program
from tests.host.serving import PRODUCT, Server, imei
from tests.patience import PATIENCE_S

_ONE_MIGRATION = threading.Lock()  # alembic works on globals


class Field:
    """A server process on the loopback, and what its registry holds."""

    def __init__(self, folder: Path, policy: Policy, boards: int) -> None:
        self.folder = DataFolder(folder / "data")
        claim_keys.create_master(self.folder)
        self._keys = claim_keys.open_keys(self.folder)
        self._policy = policy
        with _ONE_MIGRATION, open_database(self.folder.registry) as database:
            product = products.add(
                database,
                "Faults",
                product_key=PRODUCT,
                policy=policy,
                mqtt_host="mqtt.test",
            )
            self._product_secret = (
                products.decrypt_secret(database.vault, product) or ""
            )
            rows = [devices.validate_row(n, imei(n), None) for n in range(boards)]
            devices.register(database, PRODUCT, rows)
        self._authority = certificates.init(folder / "ca")
        self.ca = str(self._authority.ca_der)
        self._server = Server(self.folder.path, self._authority)
        self.port: int = self._server.port

    def board(self, number: int) -> dict[str, Any]:
        """What board `number` has from the factory."""
        key = {
            Policy.OPEN: None,
            Policy.PRODUCT_SECRET: self._product_secret.encode().hex(),
            Policy.DEVICE_KEY: self._keys.derive(PRODUCT, imei(number)).hex(),
        }[self._policy]
        return {"imei": imei(number), "productKey": PRODUCT, "key": key, "ca": self.ca}

    def secrets(self) -> list[tuple[str, str]]:
        """(IMEI, deviceSecret) of every credential that was ever issued."""
        query = select(Device.id, Device.imei, Credential.encrypted_secret)
        query = query.join_from(Credential, Device)
        with (
            _ONE_MIGRATION,
            open_database(self.folder.registry) as database,
            database.snapshot() as session,
        ):
            return [
                (imei, database.vault.decrypt(str(stored), bind_device(number)))
                for number, imei, stored in session.execute(query)
            ]

    def close(self) -> None:
        self._server.stop()


@contextlib.contextmanager
def field(policy: Policy, boards: int) -> Iterator[Field]:
    """A Field, stopped at the end."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Field(Path(folder), policy, boards)
        try:
            yield opened
        finally:
            opened.close()


class BoardProcess:
    """The real VM with one board after another: a life for each line it is sent."""

    def __init__(self, folder: Path, **more: str) -> None:
        folder.mkdir(parents=True)
        self._process = subprocess.Popen(
            program("board_life.py"),
            cwd=folder,
            env=environment(**more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def live(self, **job: Any) -> dict[str, Any]:
        """Run one board's life as tests/faults/device/board_life.py does."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        said = ""
        alarm = threading.Timer(PATIENCE_S, self._process.kill)
        alarm.start()
        for line in self._process.stdout:
            if line.startswith("LIFE "):
                alarm.cancel()
                return json.loads(line[5:])
            said += line
        alarm.cancel()
        raise RuntimeError(f"the board's process ended: {said}")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()
