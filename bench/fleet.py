"""A fleet to measure with: its registry, its server, and what is asked of them."""

import csv
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.load import Job, Result
from pointctl import certificates
from pointctl.children import Child
from pointctl.folder import DataFolder
from pointctl.registry.devices import overview, products, search
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.storage.models import Policy

PRODUCT = "pk-bench"
_QUERIES = 200


@dataclass(frozen=True)
class Import:
    """`pointctl devices import` of so many rows, the process as a whole."""

    database: str
    rows: int
    seconds: float
    peak_mb: int

    @property
    def rows_per_second(self) -> int:
        """Rows by seconds."""
        return round(self.rows / self.seconds)


@dataclass(frozen=True)
class Load:
    """What a load generator saw."""

    seconds: float
    latencies_ms: list[float]

    @property
    def per_second(self) -> int:
        """Requests by seconds."""
        return round(len(self.latencies_ms) / self.seconds)

    def percentile(self, percent: int) -> float:
        """So many in a hundred took no longer."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Fleet:
    """One product, and as many devices as were added."""

    def __init__(
        self, folder: Path, database: str, processes: int, url: str | None
    ) -> None:
        self.database = database
        self.processes = processes
        self.registered = 0
        self._enrolled = 0
        self._url = url
        self._data = DataFolder(folder / "data")
        self._files = certificates.init(self._data.ca)
        claim_keys.create_master(self._data)
        self._master = claim_keys.open_keys(self._data).master.hex()
        chosen = {"POINTCTL_DATABASE": url} if url else {}
        self._environment = os.environ | chosen | {"PYTHONUNBUFFERED": "1"}
        with self._opened() as registry:
            products.add(
                registry,
                PRODUCT,
                policy=Policy.DEVICE_KEY,
                product_key=PRODUCT,
                mqtt_host="mqtt.example.com",
            )

    def _opened(self) -> Database:
        return open_database(self._url or self._data.registry, self._data)

    def _command(self, *arguments: str) -> list[str]:
        command = [sys.executable, "-m", "pointctl", *arguments]
        return [*command, "--data", str(self._data.path)]

    def add(self, count: int) -> Import:
        """Register so many more devices by a CSV file."""
        path = self._data.path / "boards.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["imei"])
            first = self.registered
            writer.writerows([_imei(n)] for n in range(first, first + count))
        command = self._command("devices", "import", str(path), "--product", PRODUCT)
        begun = time.perf_counter()
        with Child[bytes](
            command, env=self._environment, stdout=subprocess.DEVNULL
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        self.registered += count
        seconds = time.perf_counter() - begun
        return Import(self.database, count, round(seconds, 1), usage.ru_maxrss // 1024)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server, and a bare endpoint of as many processes beside it."""
        options = ["--port", "0", "--workers", str(self.processes)]
        bare = [
            "-m",
            "bench.bare",
            str(self._files.server),
            str(self._files.server_key),
        ]
        with (
            self._running(self._command("serve", *options)) as self._server,
            self._running([sys.executable, *bare, str(self.processes)]) as other,
        ):
            assert self._server.stdout
            assert other.stdout
            events = (json.loads(line) for line in self._server.stdout)
            self._port = next(e["port"] for e in events if e["event"] == "ready")
            self._bare_port = int(other.stdout.readline())
            # Read what else it logs: a full pipe would stop it.
            threading.Thread(target=self._server.stdout.read, daemon=True).start()
            yield

    @contextmanager
    def _running(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        with Child[bytes](
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    def load(self, connections: int, requests: int) -> Load:
        """First enrolments of boards that have not been here."""
        warm_up = requests // 10
        first = self._enrolled
        self._enrolled += requests + warm_up
        assert self._enrolled <= self.registered, "too few devices: import more"
        imeis = [_imei(number) for number in range(first, self._enrolled)]
        return self._generate(self._port, connections, imeis, warm_up, sealed=True)

    def bare_load(self, connections: int, requests: int) -> Load:
        """The same requests to the bare endpoint."""
        imeis = [_imei(0)] * (requests + requests // 10)
        return self._generate(
            self._bare_port, connections, imeis, requests // 10, sealed=False
        )

    def _generate(
        self,
        port: int,
        connections: int,
        imeis: list[str],
        warm_up: int,
        *,
        sealed: bool,
    ) -> Load:
        ca = str(self._files.ca)
        job = Job(port, ca, connections, imeis, PRODUCT, self._master, warm_up, sealed)
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=json.dumps(asdict(job)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        result = Result(**json.loads(done.stdout))
        assert set(result.codes) == {"00000"}, result.codes
        return Load(result.seconds, result.latencies_ms)

    def look_up_ms(self) -> float:
        """Showing a device with its history, the median of many."""
        with self._opened() as registry:
            numbers = random.Random(1).choices(range(self.registered), k=_QUERIES)
            imeis = iter([_imei(number) for number in numbers])
            return _median_ms(lambda: search.show(registry, next(imeis), PRODUCT))

    def page_ms(self) -> float:
        """A page of fifty devices from anywhere in the list, the median of many."""
        filters = search.DeviceFilters(product_key=PRODUCT)
        with self._opened() as registry:
            numbers = random.Random(2).choices(range(self.registered), k=_QUERIES)
            after = iter([str(number) for number in numbers])
            return _median_ms(
                lambda: search.search(registry, filters, limit=50, after=next(after))
            )

    def overview_ms(self) -> tuple[float, float]:
        """Counting for the overview's month, and doing so again, as a page does."""
        with self._opened() as registry:
            first = _median_ms(lambda: _overview(overview.FleetCounts(registry)), 5)
            figures = overview.FleetCounts(registry)
            _overview(figures)
            return first, _median_ms(lambda: _overview(figures))

    def server_mb(self) -> int:
        """The most that a process of the server has held."""
        parent = self._server.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return max(_peak_mb(pid) for pid in [str(parent), *children])


def _overview(figures: overview.FleetCounts) -> None:
    figures.count_states()
    figures.count_enrolments(overview.Span.MONTH)
    figures.count_pools()


def _peak_mb(pid: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


def _median_ms(query: Callable[[], object], rounds: int = _QUERIES) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        query()
        times.append(time.perf_counter() - begun)
    return round(median(times) * 1000, 2)


def _imei(serial: int) -> str:
    body = f"86612{serial:09d}"
    total = sum(sum(divmod(int(d) * (1 + i % 2), 10)) for i, d in enumerate(body))
    return f"{body}{-total % 10}"
