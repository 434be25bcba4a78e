"""The real main.py on QuecPython's adapter: what a module of 2021 gets, and who else.

MicroPython is real, and so are server, broker, TLS and every byte between them. The
firmware is the shims' old one: u-names only, everything in /usr, TLS without a CA.
"""

import hashlib
import json
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from pointctl.boards import flash
from pointctl.demo import lines
from pointctl.demo.operator import DemoOperator
from pointctl.demo.process import Process
from pointctl.demo.system import System, build_system
from pointctl.demo.timeline import Timeline
from pointctl.registry.devices import devices
from pointctl.registry.issuing import credentials
from pointctl.registry.keys.claim_keys import open_keys
from pointctl.registry.storage.database import open_database
from tests import runtimes
from tests.e2e import hostile

VM = Path(__file__).with_name("quecpython_vm.py")
SHIMS = runtimes.ROOT / "tests/shims"
SENSOR = runtimes.ROOT / "examples/quecpython_sensor"
PROGRAM = runtimes.ROOT / "examples/esp32_sensor/main.py"  # the same on every board
HEAP_BYTES = 384 * 1024  # on 64 bits; a module has 512 KB on 32
Forge = Callable[[bytes, bytes], bytes]


@pytest.fixture
def system(forked: None) -> Iterator[System]:
    """A broker that runs, and what is needed for a server and modules."""
    runtimes.micropython()
    with build_system(Timeline(None)) as made:
        yield made


class Module:
    """A module as the factory delivers it, registered at the system's server."""

    def __init__(
        self, system: System, trust: dict[str, Any], port: int | None = None
    ) -> None:
        self.system = system
        self.product, self.imei = system.register()
        self.flash = system.folder.path / "module/usr"
        self.claim_key = open_keys(system.folder).derive(self.product, self.imei)
        flash.assemble(
            self.flash,
            "quecpython",
            {
                "url": f"https://127.0.0.1:{port or system.server_port}/v1/access",
                "productKey": self.product,
                "spreadS": 0,
                "timeoutS": 10,
            }
            | trust,
            system.files.ca_der.read_bytes(),
            claim_key=self.claim_key,
        )

    @property
    def secret(self) -> str:
        """The deviceSecret that the registry holds for it."""
        registry = self.system.folder.registry
        with open_database(registry) as database, database.snapshot() as found:
            device = devices.find(found, self.imei)
            row = credentials.read(found.connection(), device.id)
            return credentials.secrets(database.vault, row)[0]

    def power_on(self, age: str = "old", stack: int = 0, **script: Any) -> Process:
        """A boot, perhaps with a small stack; to leave it is to pull the plug."""
        played = self.flash.parent / "script.json"
        played.write_text(json.dumps({"pace": 0.05} | script))
        names = [f"quecpython_{age}", "quecpython", "quecpython_prelude"]
        names += ["quecpython_securedata"] if "secureData" in script else []
        return Process(
            "board",
            [self.system.runtime.command, "-X", f"heapsize={HEAP_BYTES}", VM],
            self.system.timeline,
            lines.read_board,
            cwd=self.flash.parent,
            environment={
                "POINTACCESS_IMEI": self.imei,
                "MICROPYPATH": ":".join(str(SHIMS / name) for name in names),
                "SHIM_SCRIPT": str(played),
                "STACK": str(stack),
            },
        )

    def wait(self, power: Process, event: str) -> str:
        """Until it says this; what went with it."""
        return self.system.timeline.require("board", event, power.alive).detail

    def slots(self) -> list[str]:
        """The credentials that its flash holds."""
        return sorted(path.name for path in self.flash.glob("credentials.*"))


def pin(system: System) -> dict[str, Any]:
    """Settings that trust the server and the broker by their one certificate."""
    der = ssl.PEM_cert_to_DER_cert(system.files.server.read_text())
    return {"pins": [hashlib.sha256(der).hexdigest()]}


class Between(hostile.Listener):
    """A man in the middle, with a certificate of his own that nobody trusts.

    What `forge(request, reply)` makes of the server's reply is what the board gets. All
    that he could read is in `read`.
    """

    def __init__(self, port: int, forge: Forge | None = None) -> None:
        certificate = trustme.CA().issue_cert("127.0.0.1", "localhost")
        self._mine = hostile.server_context(certificate)
        self._port = port
        self.forge = forge
        self.replies: list[bytes] = []
        super().__init__(self._pass_on)

    @property
    def read(self) -> bytes:
        return self.seen.application_bytes + b"".join(self.replies)

    def _pass_on(self, sock: socket.socket, seen: hostile.Seen) -> None:
        theirs = ssl.create_default_context()
        theirs.check_hostname = False
        theirs.verify_mode = ssl.CERT_NONE
        with (
            self._mine.wrap_socket(sock, server_side=True) as board,
            socket.create_connection(("127.0.0.1", self._port), 10) as plain,
            theirs.wrap_socket(plain) as server,
        ):
            while hostile.read_request(board, seen):
                server.sendall(seen.requests[-1])
                reply = self._reply(server)
                self.replies.append(reply)
                if self.forge:
                    reply = self.forge(seen.requests[-1], reply)
                board.sendall(reply)

    @staticmethod
    def _reply(server: ssl.SSLSocket) -> bytes:
        received = b""
        while True:
            head, end, body = received.partition(b"\r\n\r\n")
            if end:
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                if len(body) >= length:
                    return received
            more = server.recv(65536)
            assert more
            received += more


@pytest.fixture
def between(system: System) -> Iterator[Between]:
    """He listens in front of the server."""
    made = Between(system.server_port)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("age", ["old", "new"])
def test_first_and_second_boot(system: System, age: str) -> None:
    """From nothing to a verified broker; from flash at the next boot."""
    trust = pin(system) if age == "old" else {"ca": "ca.der"}
    module = Module(system, trust)
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        with module.power_on(age) as power:
            assert module.wait(power, "boot") == f"IMEI {module.imei}"
            assert module.wait(power, "credentials") == "00000 server"
            assert module.wait(power, "connected") == "127.0.0.1"
            module.wait(power, "published")
    system.timeline.chapter("again")
    with module.power_on(age) as power:
        assert module.wait(power, "credentials") == "00000 flash"
        module.wait(power, "published")
    assert module.slots() == ["credentials.0", "credentials.1"]


def test_example(system: System) -> None:
    """The sensor on a module: claim key in SecureData, APN, watchdog, commands."""
    module = Module(system, pin(system))
    shutil.copy(SENSOR / "board.json", module.flash)
    shutil.copy(SENSOR / "sensor.py", module.flash)
    shutil.copy(PROGRAM, module.flash / "start.py")
    secure = str(module.flash.parent / "secure.bin")
    timeline, broker = system.timeline, system.broker
    with (
        system.server() as server,
        DemoOperator(
            broker.port, system.files.ca, broker.login_file, timeline
        ) as operator,
    ):
        timeline.require("server", "ready", server.alive)
        timeline.require("host", "listens", lambda: True)
        with module.power_on(secureData=secure, adcMv=987) as power:
            heard = timeline.require("host", "receives", power.alive).detail
            message, topic = heard.split(" on ")
            assert message == repr('{"millivolts":987}')
            operator.send(topic.removesuffix("up") + "down", '{"intervalS": 1}')
            assert module.wait(power, "obeys") == "every 1 s"
    assert not (module.flash / "claim.key").exists()
    assert module.claim_key in Path(secure).read_bytes()
    for name in module.slots():  # the flash is lost, SecureData is not
        (module.flash / name).unlink()
    timeline.chapter("after burning")
    with system.server() as server:
        timeline.require("server", "ready", server.alive)
        with module.power_on(secureData=secure) as power:
            assert module.wait(power, "credentials") == "00000 server"


def test_small_stack(system: System) -> None:
    """Nothing is deep: some modules give a program 16 KB.

    Of a thread's stack MicroPython keeps 8 KB here, and on 64 bits frames are twice as
    large as on a module.
    """
    module = Module(system, pin(system))
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        with module.power_on(stack=40 * 1024) as power:
            assert module.wait(power, "credentials") == "00000 server"
            module.wait(power, "published")


def test_broker_that_comes_back(system: System) -> None:
    """What umqtt would swallow, or repeat for ever, is told and mended."""
    module = Module(system, pin(system))
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        with module.power_on() as power:
            module.wait(power, "published")
            system.timeline.chapter("the broker goes")
            system.broker.stop()
            assert module.wait(power, "lost")[:10] == "E13 CLOSED"
            system.timeline.chapter("the broker comes")
            system.broker.start()
            module.wait(power, "connected")


def test_listener(system: System, between: Between) -> None:
    """TLS does not keep him out, and yet he learns nothing: the reply is sealed.

    The broker is not verified either, so it is not told the password.
    """
    module = Module(system, {"ca": "ca.der"}, between.port)
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        with module.power_on() as power:
            assert module.wait(power, "credentials") == "00000 server"
            assert module.wait(power, "lost").startswith("E25 UNVERIFIED")
    assert system.timeline.count("board", "connected") == 0
    read = between.read
    assert b'"sealed"' in read
    secrets = [module.secret, module.claim_key.hex(), "deviceSecret", "productSecret"]
    for secret in secrets:
        assert secret.encode() not in read
    assert module.claim_key not in read


def unsealed(request: bytes, reply: bytes) -> bytes:
    """Credentials of his own, in clear."""
    return hostile.http(hostile.reply(host="mqtt.attacker.example"))


def other_bytes(request: bytes, reply: bytes) -> bytes:
    """The server's reply with one bit of the box turned."""
    place = reply.index(b'"sealed"') + 40
    digit = b"0" if reply[place : place + 1] != b"0" else b"1"
    return reply[:place] + digit + reply[place + 1 :]


def refused_for_good(request: bytes, reply: bytes) -> bytes:
    """The server does not want this board: says who?"""
    return hostile.http(b'{"code": "40302", "message": "revoked"}')


@pytest.mark.parametrize("forge", [unsealed, other_bytes, refused_for_good])
def test_forger(system: System, between: Between, forge: Forge) -> None:
    """What he makes up is not taken; the next try with the server's own reply is."""
    between.forge = forge
    module = Module(system, {"ca": "ca.der"}, between.port)
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        with module.power_on() as power:
            system.timeline.require("server", "access", power.alive)
            said = len(between.replies)
            while len(between.replies) < said + 2 and power.alive():
                pass
            assert module.slots() == []
            between.forge = None
            assert module.wait(power, "credentials") == "00000 server"
    assert b"attacker" not in b"".join(
        p.read_bytes() for p in module.flash.iterdir() if p.is_file()
    )


def test_replayer(system: System, between: Between) -> None:
    """A reply to an earlier claim of the same board is not an answer to this one."""
    module = Module(system, {"ca": "ca.der"}, between.port)
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        with module.power_on() as power:
            module.wait(power, "credentials")
        (old,) = [reply for reply in between.replies if b'"sealed"' in reply]
        for name in (*module.slots(), "pending.0", "pending.1"):
            (module.flash / name).unlink(missing_ok=True)
        system.timeline.chapter("replayed")
        between.forge = lambda request, reply: old if b'"time"' in request else reply
        heard = len(between.replies)
        with module.power_on() as power:
            while len(between.replies) < heard + 2 and power.alive():
                pass
            assert power.alive()
            assert module.slots() == []
            assert system.timeline.count("board", "credentials") == 0


def test_pinned(system: System, between: Between) -> None:
    """A module that has a pin tells him not a byte."""
    module = Module(system, pin(system), between.port)
    with system.server() as server:
        system.timeline.require("server", "ready", server.alive)
        with module.power_on() as power:
            while between.seen.connections < 2 and power.alive():
                pass
            assert power.alive()
    assert between.read == b""
    assert module.slots() == []
