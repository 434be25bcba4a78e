"""The real main.py on the ESP32's adapter: from the modem to a verified broker.

MicroPython is real, and so are server, broker, TLS and every byte between them; modem,
PPP, Wi-Fi, NVS and chip are tests/shims/esp32.
"""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from point import settings
from pointctl.boards import flash
from pointctl.demo import lines
from pointctl.demo.operator import DemoOperator
from pointctl.demo.process import Process
from pointctl.demo.system import System, build_system
from pointctl.demo.timeline import Timeline
from pointctl.registry.keys.claim_keys import open_keys
from tests import runtimes

# The sockets are put in by hand: no path leads MicroPython to a file usocket.py.
PROGRAM = """
from point import compat
ticks, sleep = compat.ticks_ms, compat.sleep_ms
compat.ticks_ms = lambda: ticks() * {speed}
compat.sleep_ms = lambda ms: sleep(ms // {speed})
names = {{}}
with open("{sockets}") as file:
    exec(file.read(), names)
class usocket: pass
for name in names:
    setattr(usocket, name, names[name])
compat.socket = usocket
import boot, main
"""
SHIMS = runtimes.ROOT / "tests/shims/esp32"
EXAMPLE = runtimes.ROOT / "examples/esp32_sensor"
HEAP_BYTES = 384 * 1024  # on 64 bits; the stand-ins and their modem live here too
WIRED: dict[str, Any] = {"modem": {"tx": 17, "rx": 16, "apn": "iot"}}
SCRIPT: dict[str, Any] = {
    "apn": "iot",
    "clock": "26/11/22,16:30:12+32",
    "gated": True,  # no socket before PPP or Wi-Fi is up
}


class Board:
    """An ESP32 as the factory delivers it, on a server and a broker that run."""

    def __init__(self, system: System, wired: dict[str, Any], script: dict[str, Any]):
        self.system = system
        self.product, self._imei = system.register()
        self.flash = system.folder.path / "flash"
        flash.assemble(
            self.flash,
            "esp32",
            {
                "url": f"https://127.0.0.1:{system.server_port}/v1/access",
                "productKey": self.product,
                "ca": "ca.der",
                "spreadS": 0,
            },
            system.files.ca_der.read_bytes(),
            claim_key=open_keys(system.folder).derive(self.product, self._imei),
            libraries=system.runtime.libraries,
        )
        heap = f"heapsize={HEAP_BYTES}"
        self._command = [str(system.runtime.command), "-X", heap]
        self.save("board.json", WIRED | wired)
        self.save("../script.json", SCRIPT | script)

    def save(self, name: str, value: dict[str, Any]) -> None:
        """Write a file of the board's."""
        (self.flash / name).write_text(json.dumps(value))

    def power_on(self, speed: int = 1) -> Process:
        """A boot, so many times as fast; to leave it is to pull the plug."""
        return Process(
            "board",
            [
                *self._command,
                "-c",
                PROGRAM.format(speed=speed, sockets=SHIMS / "usocket.py"),
            ],
            self.system.timeline,
            lines.read_board,
            cwd=self.flash,
            environment={
                "POINTACCESS_IMEI": self._imei,
                "SHIM_SCRIPT": "../script.json",
                "MICROPYPATH": f":.frozen:lib:{SHIMS}",
            },
        )

    def boots(self, *expected: tuple[str, str]) -> None:
        """Switch it on until it has said all that."""
        self.system.timeline.chapter("a boot")
        with self.power_on() as power:
            for name, detail in expected:
                said = self.system.timeline.require("board", name, power.alive)
                assert said.detail.startswith(detail), said


@pytest.fixture
def system(forked: None) -> Iterator[System]:
    """Certificates, a broker that runs, and a server that does."""
    with build_system(Timeline(None)) as made, made.server() as server:
        made.timeline.require("server", "ready", server.alive)
        yield made


AP = {"ssid": "a net", "password": "a word of eight"}


@pytest.mark.parametrize(
    ("wired", "script"),
    [
        ({"claimKey": "nvs", "watchdogS": 60}, {"kind": "ec25", "api": "new"}),
        ({}, {"kind": "sim7600", "api": "old", "chunk": 1, "garbage": "00ff7e"}),
        ({"wifi": AP}, {"kind": "a7670", "wifi": AP}),
    ],
    ids=["ppp-nvs", "old-ppp", "wifi"],
)
def test_from_the_factory(
    system: System, wired: dict[str, Any], script: dict[str, Any]
) -> None:
    """Switched on, identified, provisioned, connected; the next boot asks nobody."""
    board = Board(system, wired, script)
    server = "credentials", "00000 server"
    board.boots(("boot", "IMEI"), server, ("connected", ""), ("published", ""))
    assert system.timeline.count("server", "access") >= 1
    in_nvs = wired.get("claimKey") == "nvs"
    assert (board.flash / "claim.key").exists() is not in_nvs
    assert (board.flash / ".nvs.json").exists() is in_nvs
    board.boots(("credentials", "00000 flash"), ("connected", ""), ("published", ""))
    assert system.timeline.count("server", "access") == 0


def test_no_network(system: System) -> None:
    """Says why, in the number and the words of docs/boards/esp32.md; asks nobody."""
    board = Board(system, {}, {"sim": "absent"})
    system.timeline.chapter("no SIM")
    with board.power_on(speed=50) as power:
        said = system.timeline.require("board", "credentials", power.alive)
        assert said.detail == "77777 E14 OFFLINE: AT+CPIN: CME ERROR: 10"
    assert system.timeline.count("server", "access") == 0


def test_example(system: System) -> None:
    """The sensor publishes what it measures, and obeys what it is told."""
    wired = json.loads((EXAMPLE / "board.json").read_text())
    settings.parse((EXAMPLE / "settings.json").read_bytes())
    board = Board(system, wired, {"adcUv": 1234567, "apn": "internet"})
    for source in EXAMPLE.glob("*.py"):
        shutil.copy(source, board.flash)
    timeline = system.timeline
    login = system.broker.login_file
    with DemoOperator(system.broker.port, system.files.ca, login, timeline) as operator:
        timeline.require("host", "listens", lambda: True)
        with board.power_on() as power:
            heard = timeline.require("host", "receives", power.alive).detail
            message, topic = heard.split(" on ")
            assert message == repr('{"millivolts":1234}')
            down = topic.removesuffix("up") + "down"
            operator.send(down, "not a command")
            timeline.require("board", "ignored", power.alive)
            operator.send(down, '{"intervalS": 1}')
            said = timeline.require("board", "obeys", power.alive)
            assert said.detail == "every 1 s"
            timeline.chapter("every second")
            timeline.require("host", "receives", power.alive)
