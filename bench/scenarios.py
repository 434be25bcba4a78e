"""What is measured: each scenario begins in the same state however often it runs."""

import json
from pathlib import Path

from bench.services import PRODUCT, SEEDS, Services
from bench.vm import DEVICE, Flash, Run
from bench.wire import CountingProxy

_KEPT = ("credentials.0", "credentials.1", "pending.0", "pending.1")


class Scenarios:
    """Every scenario over the same two services; each returns None if it failed."""

    def __init__(self, folder: Path, services: Services) -> None:
        self._services = services
        self._cold = Flash(folder / "cold", "import boot, main", services)
        self._cold.fill_with_point(services)
        self._warm = Flash(folder / "warm", "import boot, main", services)
        self._warm.fill_with_point(services)
        self._warm_imei = next(services.imeis[PRODUCT])
        self._provide(self._warm, self._warm_imei)
        self._seed = Flash(folder / "seed", "import seed", services)
        self._seed.fill_with([DEVICE / "seed.py", DEVICE / "seed_point_access.py"])
        if not self._warm.boot(self._warm_imei):
            raise SystemExit("bench: the first boot does not work")

    def empty(self, heap: int | None = None) -> Run | None:
        """A program that only says that it runs."""
        return self._warm.boot(heap=heap, program="print('published')")

    def bare(self, heap: int | None = None) -> Run | None:
        """Two verified TLS handshakes and no more."""
        return self._warm.boot(heap=heap, program="import handshakes")

    def first(self, heap: int | None = None, **how: str) -> Run | None:
        """A new board's first boot: provisioning, flash, MQTT."""
        for name in _KEPT:
            (self._cold.folder / name).unlink(missing_ok=True)
        imei = next(self._services.imeis[PRODUCT])
        self._provide(self._cold, imei)
        return self._cold.boot(imei, heap, **how)

    def warm(self, heap: int | None = None, **how: str) -> Run | None:
        """Any later boot: MQTT with what flash holds."""
        return self._warm.boot(self._warm_imei, heap, **how)

    def seed(self, heap: int | None = None, **how: str) -> Run | None:
        """The seed's snippet and umqtt.simple, as they come."""
        return self._seed.boot(next(self._services.imeis[SEEDS]), heap, **how)

    def wire(self, name: str) -> dict[str, int]:
        """Bytes of one provisioning, up and down: `name` is "first" or "seed"."""
        with CountingProxy(self._services.server_port) as proxy:
            port, counted = str(self._services.server_port), str(proxy.port)
            url = self._services.url.replace(port, counted)
            if name == "seed":
                run = self.seed(BENCH_URL=url)
            else:
                settings = self._cold.folder / "settings.json"
                before = settings.read_text()
                settings.write_text(json.dumps(json.loads(before) | {"url": url}))
                run = self.first()
                settings.write_text(before)
        if run is None:
            raise SystemExit(f"bench: {name} does not get through the proxy")
        return {"up": proxy.up, "down": proxy.down}

    def seed_bytes(self) -> int:
        """.mpy that the seed's way puts beside the firmware's own requests."""
        files = self._seed.folder.rglob("*.mpy")
        return sum(file.stat().st_size for file in files if file.stem != "seed")

    def import_heap(self, name: str) -> tuple[list[str], int]:
        """The modules of point/ that a "first" or "warm" boot loads; their heap."""
        run = getattr(self, name)(program="import imports")
        assert run
        modules = run.last.split()[1:]
        names = " ".join(modules)
        weighed = self._cold.boot(program="import weigh", BENCH_MODULES=names)
        assert weighed
        return modules, int(weighed.last.split()[1])

    def _provide(self, flash: Flash, imei: str) -> None:
        """The claim key that the factory gives a board, under any policy."""
        key = self._services.claim_keys.derive(PRODUCT, imei)
        (flash.folder / "claim.key").write_text(key.hex() + "\n")
