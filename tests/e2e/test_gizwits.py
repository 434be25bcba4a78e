"""Gizwits' clouds as the source of credentials: the real MicroPython through real TLS.

The other side is a stand-in that shares no code with the component; what it has to
complain of fails a test at its end.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from pointctl.demo.timeline import Timeline, TimelineEvent
from tests import runtimes
from tests.e2e import hostile
from tests.e2e.cloud_board import Board, Power
from tests.e2e.gizwits_cloud import KEY, SECRET, Cloud
from tests.e2e.mqtt_wire import HOST

IMEI = "490154203237518"
ON = bytes.fromhex("00000003 05 00 0090 01 01")
OFF_ASKED = bytes.fromhex("00000003 09 00 0093 00000007 01 00")
READ_ASKED = bytes.fromhex("00000003 08 00 0093 fffffffe 02")


class Field:
    """A cloud that runs, and boards for it."""

    def __init__(self, cloud: Cloud, timeline: Timeline, folder: Path, ca: bytes):
        self.cloud = cloud
        self.timeline = timeline
        self._folder = folder
        self._ca = ca

    def board(
        self, auth_key: str = "", example: str | None = None, **more: Any
    ) -> Board:
        """A board; with an `auth_key` burned into its flash."""
        settings = {
            "source": "gizwits",
            "url": f"https://{HOST}:{self.cloud.server.http_port}",
            "productKey": KEY,
        } | more
        flash = self._folder / "flash"
        made = Board(flash, self.timeline, IMEI, self._ca, settings, example)
        if auth_key:
            (flash / "auth.key").write_text(auth_key)
        return made

    def wait(self, power: Power, who: str, event: str) -> TimelineEvent:
        """Until that has happened in this chapter, and while nobody complains."""
        return self.timeline.require(
            who, event, lambda: power.alive() and not self.cloud.complaints
        )


@pytest.fixture
def field(authority: trustme.CA, tmp_path: Path) -> Iterator[Field]:
    """A Field while its cloud runs; the cloud must have nothing to complain of."""
    runtimes.micropython()
    timeline = Timeline(None)
    context = hostile.server_context(authority.issue_cert(HOST))
    cloud = Cloud(context, lambda *words: timeline.add("cloud", *words))
    cloud.server.start()
    try:
        yield Field(cloud, timeline, tmp_path, hostile.der(authority))
    finally:
        cloud.server.stop()
    assert cloud.complaints == []


@pytest.mark.parametrize("did_is_known", [True, False])
def test_a_burned_key(field: Field, did_is_known: bool) -> None:
    """The board is told where to log in, and does, each time under a new nonce."""
    device = field.cloud.make(IMEI)
    key = f"{device.secret},{device.did}\n" if did_is_known else device.secret
    board = field.board(key, productSecret=SECRET)
    for number in range(2):
        field.timeline.chapter(f"boot {number}")
        with board.power_on() as power:
            field.wait(power, "board", "connected")
        assert field.timeline.count("cloud", "tells") == 1 - number
    assert len(device.nonces) == 2


def test_another_key(field: Field) -> None:
    """A key that is not this device's is refused; with the right one it goes on."""
    device = field.cloud.make(IMEI)
    board = field.board("0" * 32 + "," + device.did)
    with board.power_on() as power:
        said = field.wait(power, "board", "credentials")
        assert said.detail.startswith("401 E35 REFUSED")
    assert not list(board.flash.glob("credentials.*"))
    board.erase()  # and with it how long it would wait
    field.timeline.chapter("the right one is burned")
    (board.flash / "auth.key").write_text(f"{device.secret},{device.did}")
    with board.power_on() as power:
        field.wait(power, "board", "connected")


@pytest.mark.parametrize("filled", [True, False])
def test_the_older_cloud(field: Field, filled: bool) -> None:
    """Registered with a passcode of its own; an app switches it, and asks."""
    field.cloud.filled = filled
    board = field.board(
        example="gizwits_switch", register="classic", productSecret=SECRET
    )
    with board.power_on() as power:
        field.wait(power, "cloud", "receives")
        (device,) = field.cloud.devices.values()
        for frame in (ON, OFF_ASKED, b"\0\0\0\3\7junk", READ_ASKED):
            field.cloud.tell(device, "app7", frame)
        while len(field.cloud.received) < 4:
            assert power.alive()
            time.sleep(0.05)
    assert [(topic, message.hex()) for topic, message in field.cloud.received] == [
        (f"dev2app/{device.did}", "00000003050000910400"),
        (f"dev2app/{device.did}/app7", "00000003050000910301"),
        (f"dev2app/{device.did}/app7", "000000030900009400000007" + "0300"),
        (f"dev2app/{device.did}/app7", "0000000309000094fffffffe" + "0300"),
    ]
    passcode = device.secret
    field.timeline.chapter("a later boot")
    with board.power_on() as power:
        field.wait(power, "board", "connected")
    assert field.timeline.count("cloud", "registers") == 0
    board.erase()
    field.timeline.chapter("the flash was lost")
    with board.power_on() as power:
        field.wait(power, "board", "connected")
    assert field.timeline.count("cloud", "registers") == 1
    assert list(field.cloud.devices.values()) == [device]
    assert device.secret != passcode
