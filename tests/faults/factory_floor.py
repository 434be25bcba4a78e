"""A factory floor: a real server, a station as a process, fake boards at its ports."""

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pointctl import certificates
from pointctl.boards import flash
from pointctl.broker import BrokerProcess, embedded
from pointctl.clouds.gizwits.preauth.sandbox import keys as sandbox_keys
from pointctl.clouds.gizwits.preauth.sandbox import models, stock
from pointctl.clouds.gizwits.sandbox.database import open_database as open_sandbox
from pointctl.demo.gizwits import sandbox_broker
from pointctl.folder import DataFolder
from pointctl.registry.accounts import operators, tokens
from pointctl.registry.devices import batches, devices, products, search
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy, Role
from tests.fakeboard.board import FakeBoard, fake_board
from tests.forked import Forked
from tests.host.serving import Server, imei
from tests.patience import PATIENCE_S

PRODUCT, OTHER, BATCH = "pk-line", "pk-other", "A7"
KIND = "esp32"
_PIN = "d504fbc269cc8d2ccc8822d98310e218"  # the document's own example
# Why a turn fails that a station begins again by itself, or when a cable is back.
PASSING = ("no answer", "unplugged", "source does not answer")
POINTCTL = (sys.executable, "-m", "pointctl", "factory")


class Site:
    """A registry with a batch, the server on it, and a station's token."""

    key_file = "claim.key"

    def __init__(self, folder: Path, quota: int, mqtt_port: int | None = None) -> None:
        self.data = DataFolder(folder / "data")
        self.authority = certificates.init(folder / "ca")
        self._mqtt_port = mqtt_port  # of the broker that boards are sent to
        self._fill(quota)
        self.server = self._start()

    def _fill(self, quota: int) -> None:
        claim_keys.create_master(self.data)
        self.master = claim_keys.open_keys(self.data)
        with open_database(self.data.registry, self.data) as registry:
            for key in (PRODUCT, OTHER):
                products.add(
                    registry,
                    key,
                    policy=Policy.DEVICE_KEY,
                    product_key=key,
                    mqtt_host="127.0.0.1",
                    mqtt_port=self._mqtt_port,
                )
            batches.add(registry, PRODUCT, BATCH, "test", quota=quota)
            operators.add(registry, "line-1", Role.OPERATOR, None, "test")
            names = "line-1", "bench", Role.OPERATOR
            token = tokens.add(registry, *names, 1, "test")
        self.secrets = {"POINTCTL_FACTORY": token}

    def _start(self) -> Server:
        return Server(self.data.path, self.authority)

    def plan(self, job: Path, port: int, *options: str) -> None:
        """A job on this site, reached at another port perhaps. Raises RuntimeError."""
        given = [f"--url=https://127.0.0.1:{port}", f"--ca={self.authority.ca}"]
        given += [*self.source_options(), *options]
        done = pointctl("plan", job, f"--product={PRODUCT}", *given, **self.secrets)
        if done.returncode:
            raise RuntimeError(done.stderr)

    def source_options(self) -> list[str]:
        """Of `plan`."""
        return ["--source=server", f"--batch={BATCH}"]

    def board_settings(self) -> dict[str, str]:
        """What boards have in settings.json to find the server."""
        url = f"https://127.0.0.1:{self.server.port}/v1/access"
        return {"url": url, "policy": "device-key"}

    def key_of(self, unit: str) -> str:
        """The key that a unit has to hold."""
        return str(self.master.derive(PRODUCT, unit).hex())

    def spent(self) -> int:
        """How many keys or places are used."""
        return len(self.registered())

    def registered(self) -> set[str]:
        """The IMEIs that have a place in the batch, and in any other: none."""
        with open_database(self.data.registry, self.data) as registry:
            filters = search.DeviceFilters(None, PRODUCT, None, BATCH, None)
            found, after = set(), None
            while True:
                page = search.search(registry, filters, limit=500, after=after)
                found |= {row["imei"] for row in page.rows}
                after = page.next
                if after is None:
                    return found

    def broker(
        self, folder: Path, port: int, on_line: Callable[[str], None]
    ) -> BrokerProcess:
        """The broker that its boards log in at; its files are in `folder`."""
        return embedded.broker(
            folder,
            port=port,
            certificate=self.authority.server,
            key=self.authority.server_key,
            ca_file=self.authority.ca,
            registry=self.data.registry,
            on_line=on_line,
        )

    def states(self) -> dict[str, str]:
        """The state of each device of the batch, by its IMEI."""
        with open_database(self.data.registry, self.data) as registry:
            states = {}
            for unit in self.registered():
                with registry.snapshot() as session:
                    found = devices.find(session, unit, PRODUCT)
                    states[unit] = found.state.value
            return states

    def enrolled(self) -> int:
        """What the batch has counted: boards that were given credentials."""
        with open_database(self.data.registry, self.data) as registry:
            return int(batches.list_batches(registry, PRODUCT)[0]["enrolled"])


class GizwitsSite(Site):
    """The sandbox of Gizwits' cloud, with chaos of its own."""

    key_file = "auth.key"

    def _fill(self, quota: int) -> None:
        sandbox_keys.create_secret(self.data)
        with open_sandbox(self.data) as database:
            stock.add_product(database, PRODUCT, "Line")
            _, auth_code = stock.add_package(database, _PIN, None, PRODUCT, quota)
            token = stock.add_token(database, "bench", models.TokenRole.ISSUE, _PIN)
        self.secrets = {
            "POINTCTL_GIZWITS_AUTHORIZATION": token,
            "POINTCTL_GIZWITS_AUTH_CODE": auth_code,
        }

    def _start(self) -> Server:
        chaos = ("--chaos", "1", "--chaos-delay", "0.3", "--chaos-seed", "1")
        port = self._mqtt_port
        devices = ("--mqtt", f"127.0.0.1:{port}") if port else ()
        return _Sandbox(self.data.path, self.authority, *chaos, *devices)

    def source_options(self) -> list[str]:
        """Of `plan`; that repeats are free is how the sandbox is defined."""
        return ["--source=gizwits", f"--pin={_PIN}", "--repeats-are-free"]

    def board_settings(self) -> dict[str, str]:
        """What boards have in settings.json to find the cloud."""
        return {"url": f"https://127.0.0.1:{self.server.port}", "source": "gizwits"}

    def key_of(self, unit: str) -> str:
        """The key that a unit has to hold: the sandbox makes it anew each time."""
        maker = sandbox_keys.open_maker(self.data, None)
        product = models.SandboxProduct(product_key=PRODUCT)
        return maker.make(models.KeyMode.CLOUD, product, unit)

    def registered(self) -> set[str]:
        """The units that count in the package."""
        with open_sandbox(self.data) as database, database.snapshot() as session:
            return set(session.scalars(select(models.SandboxDevice.mac)))

    def spent(self) -> int:
        """How many keys of the package are used."""
        with open_sandbox(self.data) as database:
            return sum(each.size for each in stock.list_packages(database))

    def broker(
        self, folder: Path, port: int, on_line: Callable[[str], None]
    ) -> BrokerProcess:
        """The broker that its boards log in at: the sandbox's."""
        return sandbox_broker(self.data, self.authority, port, on_line)


class _Sandbox(Server):
    COMMAND = ("sandbox", "serve")


@dataclass
class Unit:
    """A board that is to be made, and what is wrong with it, if anything."""

    imei: str
    flash: Path
    flaw: str = ""
    kind: str = KIND
    turns: int = 0
    outcome: str = ""
    reason: str = ""

    @property
    def home(self) -> Path:
        """What is the root of everything of ours on it."""
        return self.flash / flash.root(self.kind).strip("/")

    @contextmanager
    def at(self, port: Path) -> Iterator[FakeBoard]:
        """Plugged in."""
        told = "866123450000017" if self.flaw == "imei" else self.imei
        with fake_board(self.kind, self.flash, imei=told, port=port) as board:
            yield board


def make_unit(
    site: Site, flashes: Path, serial: int, flaw: str = "", kind: str = KIND
) -> Unit:
    """A board whose flash is as it comes from its programmer: all but its own key."""
    unit = Unit(imei(serial), flashes / str(serial), flaw, kind)
    home = unit.home
    home.mkdir(parents=True)
    for path, source in flash.files(kind).items():
        if flaw == "firmware" and path.endswith("/board.py"):
            continue
        target = home / path.removeprefix(flash.root(kind))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    settings = {
        **site.board_settings(),
        "productKey": OTHER if flaw == "product" else PRODUCT,
        "ca": "ca.der",
        "spreadS": 0,
    }
    (home / "settings.json").write_text(json.dumps(settings))
    shutil.copyfile(site.authority.ca_der, home / "ca.der")
    modem = {"uart": 1, "tx": 17, "rx": 16}
    if kind == "esp32":
        (home / "board.json").write_text(json.dumps({"modem": modem}))
    if flaw == "key":
        digits = 64 if site.key_file == "claim.key" else 32
        (home / site.key_file).write_text("5" * digits + "\n")
    return unit


def pointctl(*arguments: str | Path, **secrets: str) -> subprocess.CompletedProcess:
    """A command, finished; secrets come in its environment."""
    with Forked(["factory", *arguments], env=os.environ | secrets) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


class Station:
    """`pointctl factory run` as a process; what it tells is kept by port."""

    def __init__(
        self,
        job: Path,
        site: Site,
        ports: Mapping[str, Path],
        kind: str = KIND,
        options: Sequence[str] = (),
    ) -> None:
        self._job = job
        self._kind = kind
        self._options = options
        self._secrets = site.secrets
        self._ports = ports
        self._lock = threading.Condition()
        self.events: list[dict[str, Any]] = []
        self.starts = 0
        self.errors: list[str] = []
        self._start()

    def _start(self) -> None:
        named = [f"--port={self._kind}={port}" for port in self._ports.values()]
        verb = "resume" if self.starts else "run"
        self.starts += 1
        self._process = Forked(
            ["factory", verb, self._job, "--json", *named, *self._options],
            env=os.environ | self._secrets,
        )
        self._readers = [
            threading.Thread(target=self._read),
            threading.Thread(target=self._read_errors),
        ]
        since = self.here()
        for each in self._readers:
            each.start()
        self._wait(since)

    def _wait(self, since: int) -> None:
        """Until it takes boards, or has ended."""
        with self._lock:
            self._lock.wait_for(
                lambda: self.events[since:] or self._process.poll() is not None, 60
            )

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with suppress(ValueError), self._lock:  # the last line may be cut
                self.events.append(json.loads(line))
                self._lock.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr
        self.errors.extend(self._process.stderr)

    def kill(self) -> None:
        """kill -9, and another one in its place."""
        self._process.kill()
        self._ended()
        self._start()

    def stop(self) -> int:
        """Ctrl-C; its exit code."""
        self._process.terminate()
        return self._ended()

    def _ended(self) -> int:
        code = self._process.wait(PATIENCE_S)
        for each in self._readers:
            each.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream
            stream.close()
        return code

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def here(self) -> int:
        """Where the list of events is now."""
        with self._lock:
            return len(self.events)

    def result(
        self, port: Path, since: int, within_s: float
    ) -> tuple[int, dict[str, Any]] | None:
        """The first end of a turn at a port from event `since` on, and the number of
        the event after it; None if none comes."""
        until = time.monotonic() + within_s
        with self._lock:
            while True:
                for number, event in enumerate(self.events[since:], since + 1):
                    if event["event"] == "ended" and event["port"] == str(port):
                        return number, event
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self._lock.wait(min(left, 1))


@dataclass
class Shift:
    """Who plugs boards in and out, at each port by a thread of its own."""

    station: Station
    ports: Mapping[str, Path]
    units: list[Unit]
    seed: int
    cut_rate: float = 0.3  # of turns in which the cable is pulled
    most_turns: int = 12  # then nobody pulls its cable any more
    cuts: int = 0
    on_done: Callable[[int], None] = lambda _count: None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: int = 0

    def work(self) -> None:
        """Until every unit has had an end; raises what a port's thread raised."""
        self._left = list(reversed(self.units))
        self._raised: list[BaseException] = []
        threads = [
            threading.Thread(target=self._at, args=(name, path))
            for name, path in self.ports.items()
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        if self._raised:
            raise self._raised[0]

    def _at(self, name: str, port: Path) -> None:
        rng = random.Random(f"{self.seed}-{name}")
        was_cut = False
        try:
            while not self._raised:
                with self._lock:
                    if not self._left:
                        return
                    unit = self._left.pop()
                was_cut = self._turn(unit, port, rng, was_cut)
                with self._lock:
                    if unit.outcome:
                        self._over += 1
                        over = self._over
                    else:  # on another day, or at another port
                        self._left.insert(0, unit)
                        continue
                self.on_done(over)
        except BaseException as error:
            self._raised.append(error)

    def _turn(self, unit: Unit, port: Path, rng: random.Random, was_cut: bool) -> bool:
        """Plug it in; perhaps pull it out; else wait for what the station says.

        Whether it was pulled out. `was_cut`: so was the one before it.
        """
        unit.turns += 1
        since = self.station.here()
        with unit.at(port):
            if rng.random() < self.cut_rate and unit.turns < self.most_turns:
                time.sleep(rng.uniform(0, 3))
                self.cuts += 1
                return True
            self._watch(unit, port, since, was_cut)
            return False

    def _watch(self, unit: Unit, port: Path, since: int, was_cut: bool) -> None:
        """Until the station is through with it; what mends itself is waited for."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = self.station.result(port, since, until - time.monotonic())
            if found is None:
                return
            since, told = found
            reason = told.get("reason", "")
            # The board before it, of which the station may just have had its last word.
            others = told["unit"] not in (unit.imei, None)
            if told["unit"] is None and was_cut and not unit.flaw:
                others, was_cut = True, False  # said again, it is of this one
            if not others and reason not in PASSING:
                unit.outcome, unit.reason = told["outcome"], reason
                return
