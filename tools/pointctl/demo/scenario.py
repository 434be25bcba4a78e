"""What the demo does, step by step, and the figures that it measures."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pointctl.demo.operator import DemoOperator
from pointctl.demo.system import HEAP_BYTES, DemoBoard, System, build_system
from pointctl.demo.timeline import Timeline


@dataclass(frozen=True)
class Boot:
    """The figures of one boot; milliseconds count from power-on."""

    code: str
    provision_requests: int
    fetched_ms: float
    connected_ms: float
    published: int
    received: int
    source: str


@dataclass(frozen=True)
class DemoOutcome:
    """The figures of the whole demo."""

    runtime: str
    heap_bytes: int
    broker: str
    imei: str
    boots: list[Boot]

    @property
    def ok(self) -> bool:
        """Whether the demo showed what it has to show."""
        sources = [boot.source for boot in self.boots]
        asked = [boot.provision_requests > 0 for boot in self.boots]
        return (sources, asked) == (["server", "flash"], [True, False]) and all(
            boot.published and boot.received for boot in self.boots
        )

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "ok": self.ok}


def play(timeline: Timeline, kind: type[System] = System) -> DemoOutcome:
    """Run the demo from set-up to the second boot, and remove all of it at the end.

    `kind` says where the credentials come from. Raises PointctlError for an event that
    did not happen.
    """
    timeline.chapter("Set-up")
    with build_system(timeline, kind) as system:
        key, imei = system.register()
        down = f"{key}/{imei}/down"
        broker = system.broker
        with DemoOperator(
            broker.port, system.files.ca, broker.login_file, timeline
        ) as operator:
            with system.server() as server:
                timeline.require("server", "ready", server.alive)
                board = system.board(key, imei)
                timeline.chapter("First boot: nothing in flash")
                first = _boot(board, operator, down, timeline)
            timeline.chapter("Second boot: the provisioning server is stopped")
            second = _boot(board, operator, down, timeline)
        return DemoOutcome(
            f"MicroPython {system.runtime.version}",
            HEAP_BYTES,
            broker.name,
            imei,
            [first, second],
        )


def _boot(
    board: DemoBoard, operator: DemoOperator, down: str, timeline: Timeline
) -> Boot:
    """Power on, wait until the board has published, send it a message, power off."""
    with board.power_on() as power:
        fetched = timeline.require("board", "credentials", power.alive)
        connected = timeline.require("board", "connected", power.alive)
        timeline.require("board", "published", power.alive)
        timeline.require("host", "receives", power.alive)
        operator.send(down, json.dumps({"light": "on"}))
        timeline.require("board", "received", power.alive)
    code, source = fetched.detail.split(maxsplit=1)
    return Boot(
        code,
        timeline.count("server", "access"),
        round(fetched.ms, 1),
        round(connected.ms, 1),
        timeline.count("host", "receives"),
        timeline.count("board", "received"),
        source,
    )
