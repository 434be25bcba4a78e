"""A registry and the server processes on it: started, killed, started again."""

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import select

from pointctl import certificates
from pointctl.folder import DataFolder
from pointctl.registry.devices import devices, products
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import (
    Claim,
    ClaimState,
    Credential,
    Device,
    Policy,
)
from pointctl.registry.storage.vault import bind_device
from tests import postgres
from tests.forked import Forked
from tests.host.serving import Server, imei

KEYED, OPEN = "pk-keyed", "pk-open"
_RECOVERY_S = 60  # PostgreSQL may take so long to be back
_BACKENDS = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'pointctl' AND backend_type = 'client backend'
"""


class Site:
    """One registry with a fleet, and what serves it."""

    def __init__(
        self, folder: Path, boards: int, cluster: postgres.Cluster | None
    ) -> None:
        self._data = DataFolder(folder / "data")
        self._cluster = cluster
        self._url = cluster.new_registry() if cluster else None
        self._files = certificates.init(folder / "ca")
        self._servers: list[Server] = []
        self.ca = self._files.ca
        self.imeis = [imei(serial) for serial in range(boards)]
        self.fresh = iter(self.imeis[1:])  # boards that have not enrolled
        claim_keys.create_master(self._data)
        self.keys = claim_keys.open_keys(self._data)
        with self._opened() as registry:
            for key, policy in ((KEYED, Policy.DEVICE_KEY), (OPEN, Policy.OPEN)):
                host = "mqtt.example.com"
                products.add(
                    registry, key, policy=policy, product_key=key, mqtt_host=host
                )
            rows = (devices.ImportRow(n, one, None) for n, one in enumerate(self.imeis))
            devices.register(registry, KEYED, rows)
            devices.register(
                registry, OPEN, [devices.ImportRow(0, self.imeis[0], None)]
            )

    def _opened(self):
        return open_database(self._url or self._data.registry, self._data)

    def serve(self, *, workers: int = 1, servers: int = 1) -> None:
        """Start so many commands of so many processes each."""
        self._options = ["--workers", str(workers)] if workers > 1 else []
        for _ in range(servers):
            self._start()

    def _start(self) -> None:
        made = Server(self._data.path, self._files, *self._options, url=self._url)
        self._servers.append(made)

    @property
    def ports(self) -> list[int]:
        """Where boards are served; another port after a restart."""
        return [server.port for server in self._servers]

    def stop(self) -> list[int]:
        """End the servers; their exit codes."""
        codes = [server.stop() for server in self._servers]
        self._servers.clear()
        return codes

    def kill_server(self, _rng: random.Random) -> None:
        """kill -9 of the process that serves, and another one in its place."""
        self._servers.pop().stop(signal.SIGKILL)
        self._start()

    def kill_worker(self, rng: random.Random) -> None:
        """kill -9 of one of a server's processes; it replaces it by itself."""
        (server,) = self._servers
        born = [event["worker"] for event in server.events("worker ready")]
        os.kill(rng.choice([pid for pid in born if _is_there(pid)]), signal.SIGKILL)
        _wait(lambda: len(server.events("worker ready")) > len(born))

    def kill_backend(self, rng: random.Random) -> None:
        """kill -9 of a process that PostgreSQL has for a connection of the server's.

        It then ends all others, too, and recovers from its log.
        """
        assert self._cluster
        found = self._cluster.run(_BACKENDS)
        if found:
            os.kill(int(str(rng.choice(found)[0])), signal.SIGKILL)
            time.sleep(0.1)  # until the postmaster has seen it
        _wait(self._is_up)

    def kill_postmaster(self, _rng: random.Random) -> None:
        """kill -9 of PostgreSQL itself, and another start."""
        assert self._cluster
        self._cluster.kill()
        _wait(self._restarts)

    def _restarts(self) -> bool:
        assert self._cluster
        try:
            self._cluster.start()
        except RuntimeError:  # what it left behind is still ending
            return False
        return True

    def _is_up(self) -> bool:
        assert self._cluster
        try:
            return bool(self._cluster.run("SELECT 1"))
        except psycopg.Error:
            return False

    def secrets(self, product: str) -> dict[str, list[str]]:
        """The deviceSecrets of each device that has one, by its IMEI."""
        query = select(Device.id, Device.imei, Credential.encrypted_secret)
        query = query.join(Credential, Credential.device_id == Device.id)
        found: dict[str, list[str]] = {}
        with self._opened() as registry, registry.snapshot() as session:
            for row in session.execute(query.where(Device.product_key == product)):
                clear = registry.vault.decrypt(
                    row.encrypted_secret, bind_device(row.id)
                )
                found.setdefault(row.imei, []).append(clear)
        return found

    def acknowledged(self) -> set[str]:
        """The IMEIs of the devices whose claim was acknowledged."""
        query = select(Device.imei).join(Claim, Claim.device_id == Device.id)
        query = query.where(Claim.state == ClaimState.ACKNOWLEDGED)
        with self._opened() as registry, registry.snapshot() as session:
            return set(session.scalars(query))

    def check(self) -> subprocess.CompletedProcess[str]:
        """`pointctl db check`."""
        env = os.environ | ({"POINTCTL_DATABASE": self._url} if self._url else {})
        with Forked(["db", "check", "--data", self._data.path], env=env) as process:
            out, err = process.communicate()
        code = process.wait()
        return subprocess.CompletedProcess(process.args, code, out, err)


@contextmanager
def site(boards: int, cluster: postgres.Cluster | None = None) -> Iterator[Site]:
    """A fresh one in a temporary folder; without a cluster it is on SQLite."""
    with tempfile.TemporaryDirectory(prefix="pointctl-faults-") as folder:
        made = Site(Path(folder), boards, cluster)
        try:
            yield made
        finally:
            made.stop()


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _RECOVERY_S
    while not done():
        assert time.monotonic() < deadline, "it has not come back"
        time.sleep(0.05)
