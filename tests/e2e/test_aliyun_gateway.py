"""Binding, reset and sub-devices: examples/aliyun_gateway on the real MicroPython.

The other side is a stand-in that shares no code with the component; what it has to
complain of fails a test at its end.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.aliyun_field import Field, field
from tests.e2e.cloud_board import Board, Power

MATCH = "thing/awss/enrollee/match"
RESET = "thing/reset"
ADD = "thing/topo/add"
PERMIT = "thing/gateway/permit"
NOTIFY = "_thing/event/notify"
LAMPS = [("a1C3d4E5f6G", f"lamp-{number}") for number in (1, 2)]


@pytest.fixture
def cellular(authority: trustme.CA, tmp_path: Path) -> Iterator[Field]:
    """A device that has no secret yet, two lamps, and a cloud that runs."""
    with field(authority, tmp_path) as made:
        yield made


@pytest.fixture
def board(cellular: Field) -> Board:
    """The gateway, which knows the secrets of its lamps."""
    made = cellular.board("aliyun_gateway")
    members = []
    registry = cellular.cloud.registry
    for key, name in LAMPS:
        lamp = registry.device(registry.product(key), name, secrets.token_hex(16))
        names = {"productKey": key, "deviceName": name}
        members.append(names | {"deviceSecret": lamp.secret})
    (made.flash / "sub-devices.json").write_text(json.dumps(members))
    return made


def heard(cellular: Field, power: Power, name: str) -> None:
    """Until the cloud has heard that request in this chapter."""
    cellular.wait(power, "cloud", f"hears {name}")


def bound(operation: object) -> dict[str, Any]:
    """The parameters of a notification."""
    return {"identifier": "awss.BindNotify", "value": {"Operation": operation}}


@pytest.mark.parametrize("acknowledges_last", [False, True])
def test_from_the_factory_to_a_reset(
    cellular: Field, board: Board, acknowledges_last: bool
) -> None:
    """Registered, bound, permitted, two lamps added, and reset: each as the cloud saw.

    Brokers may acknowledge a message before they deliver what answers it, or after.
    """
    cloud, device, chapter = cellular.cloud, cellular.device, cellular.timeline.chapter
    cloud.server.acknowledge_last = acknowledges_last
    with board.power_on() as power:
        heard(cellular, power, MATCH)
        assert cellular.count("cloud", "registers") == 1
        assert device.active
        assert len(device.tokens) == 1

        chapter("bound")
        answer = {"identifier": "awss.BindNotify", "serviceResult": {}}
        assert cloud.ask(device, NOTIFY, bound("Bind")) == (200, answer)
        assert cellular.wait(power, "board", "notified").detail == "Bind"

        chapter("permitted")
        assert device.sub_devices == []
        assert cloud.ask(device, PERMIT, {"time": 60}) == (200, {})
        assert cellular.wait(power, "board", "permitted").detail == "60"
        assert cellular.wait(power, "board", "added").detail.startswith("200 ")
        assert device.sub_devices == LAMPS
        found = cellular.wait(power, "board", "topology").detail
        assert all(name in found for _, name in LAMPS)

        chapter("a key")
        cloud.push(device, b"cipher")
        assert cellular.wait(power, "board", "ciphered").detail == "True"

        chapter("reset")
        cloud.push(device, b"reset")
        heard(cellular, power, MATCH)
        assert device.resets == 1
        assert len(set(device.tokens)) == 2
        assert [name for name, _ in device.heard][-2:] == [RESET, MATCH]
    assert not cloud.strays


@pytest.mark.parametrize("lost", [1, 0])
def test_killed_over_a_reset(cellular: Field, board: Board, lost: int) -> None:
    """Unanswered it is sent again after the reboot, and no token before it.

    Killed while the answer is on its way, the board may have it or not.
    """
    cloud, device = cellular.cloud, cellular.device
    with board.power_on() as power:
        heard(cellular, power, MATCH)
        cloud.lost[RESET] = lost
        cloud.push(device, b"reset")
        heard(cellular, power, RESET)
        power.kill()
    before = len(device.heard)
    cellular.timeline.chapter("the next boot")
    with board.power_on() as power:
        heard(cellular, power, MATCH)
    names = [name for name, _ in device.heard[before:]]
    assert names[:2] == [RESET, MATCH] or (not lost and names[0] == MATCH)
    told = device.resets
    cellular.timeline.chapter("a later boot")
    with board.power_on() as power:
        heard(cellular, power, MATCH)
    assert device.resets == told


def test_lost_replies(cellular: Field, board: Board) -> None:
    """What is not answered is sent again: the same token, the reset, the lamps."""
    cloud, device, chapter = cellular.cloud, cellular.device, cellular.timeline.chapter
    cloud.lost.update({MATCH: 2, RESET: 2, ADD: 1})
    with board.power_on() as power:
        cellular.wait(power, "board", "replied")
        assert len(device.tokens) == 3
        assert len(set(device.tokens)) == 1
        chapter("permitted")
        cloud.ask(device, PERMIT, {"time": 0})
        assert cellular.wait(power, "board", "added").detail.startswith("200 ")
        assert [name for name, _ in device.heard].count(ADD) == 2
        assert device.sub_devices == LAMPS
        chapter("reset")
        cloud.push(device, b"reset")
        heard(cellular, power, MATCH)
        assert device.resets == 3


def test_the_cloud_is_busy(cellular: Field, board: Board) -> None:
    """A reply that says "later" is asked for again; another code is the end of it."""
    cloud, device, chapter = cellular.cloud, cellular.device, cellular.timeline.chapter
    with board.power_on() as power:
        heard(cellular, power, MATCH)
        cloud.refused[ADD] = 429
        cloud.ask(device, PERMIT, {"time": 60})
        heard(cellular, power, ADD)
        assert device.sub_devices == []
        del cloud.refused[ADD]
        assert cellular.wait(power, "board", "added").detail.startswith("200 ")
        assert device.sub_devices == LAMPS
        chapter("a lamp that the cloud has not")
        cloud.refused[ADD] = 6100
        cloud.ask(device, PERMIT, {"time": 60})
        assert cellular.wait(power, "board", "added").detail.startswith("6100 ")


def test_tokens_do_not_live_long(cellular: Field, board: Board) -> None:
    """Unanswered, a token is reported eleven times, and is another one after 90 s."""
    cellular.cloud.lost[MATCH] = 10
    tokens = cellular.device.tokens
    with board.power_on(speed=50) as power:
        cellular.wait(power, "board", "replied")
    assert len(tokens) == 11
    assert len(set(tokens)) == 2


WRONG_PERMITS: list[Any] = [
    {},
    {"time": "60"},
    {"time": -1},
    {"time": 65536},
    {"time": True},
    {"time": 1.5},
    {"time": None},
    {"time": 60, "productKey": 5},
    {"time": 60, "productKey": "a/b"},
    [],
    None,
    "0",
]
WRONG_NOTIFICATIONS: list[Any] = [
    {},
    bound("Steal"),
    bound(None),
    bound(["Bind"]),
    bound("Bind") | {"identifier": "awss.Other"},
    {"identifier": "awss.BindNotify", "value": "Bind"},
    {"identifier": "awss.BindNotify"},
    [bound("Bind")],
]
GARBAGE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"id"',
    b"\xff\xfe",
    b"[" * 3000,
    b'{"params":{"time":0}}',
    b'{"id":"x","version":"1.0","method":"thing.gateway.permit","params":{"time":0}}',
    b'{"id":null,"params":{"time":0}}',
    b'{"id":"' + b"1" * 4000 + b'","params":{"time":0}}',
]


def test_malformed_requests(cellular: Field, board: Board) -> None:
    """Each is answered with the code for parameters, or not at all; nothing changes."""
    cloud, device = cellular.cloud, cellular.device
    with board.power_on() as power:
        heard(cellular, power, MATCH)
        for params in WRONG_PERMITS:
            assert cloud.ask(device, PERMIT, params) == (460, {}), params
        for params in WRONG_NOTIFICATIONS:
            assert cloud.ask(device, NOTIFY, params) == (460, {}), params
        for message in GARBAGE:
            for name in (PERMIT, NOTIFY, MATCH + "_reply"):
                cloud.tell(device, name, message)
                # Once this is answered the board has seen what came before.
                assert cloud.ask(device, PERMIT, {})[0] == 460
                assert not cloud.complaints, message
        assert cellular.count("board", "permitted") == 0
        assert cellular.count("board", "notified") == 0
        assert cellular.count("board", "lost") == 0
        assert device.sub_devices == []
        assert cloud.ask(device, PERMIT, {"time": 65535}) == (200, {})
        assert cellular.wait(power, "board", "permitted").detail == "65535"
        assert device.sub_devices == []


def test_a_permit_for_another_product(cellular: Field, board: Board) -> None:
    """Lamps do not join under a permit for sockets."""
    cloud, device = cellular.cloud, cellular.device
    with board.power_on() as power:
        heard(cellular, power, MATCH)
        permit = {"time": 60, "productKey": "a1Sockets00"}
        assert cloud.ask(device, PERMIT, permit) == (200, {})
        assert "REFUSED" in cellular.wait(power, "board", "failed").detail
        assert device.sub_devices == []
        permit["productKey"] = LAMPS[0][0]
        assert cloud.ask(device, PERMIT, permit) == (200, {})
        assert cellular.wait(power, "board", "added").detail.startswith("200 ")
        assert device.sub_devices == LAMPS


def test_a_lamp_with_another_secret(cellular: Field, board: Board) -> None:
    """The cloud judges each signature, and says so."""
    file = board.flash / "sub-devices.json"
    lamps = json.loads(file.read_text())
    lamps[1]["deviceSecret"] = "0" * 32
    file.write_text(json.dumps(lamps))
    with board.power_on() as power:
        heard(cellular, power, MATCH)
        cellular.cloud.ask(cellular.device, PERMIT, {"time": 0})
        assert cellular.wait(power, "board", "added").detail.startswith("401 ")
    assert cellular.device.sub_devices == []


def test_connections_break(cellular: Field, board: Board) -> None:
    """After each the board is back, subscribed again, with a token of its own."""
    cloud, device = cellular.cloud, cellular.device
    with board.power_on() as power:
        heard(cellular, power, MATCH)
        for number in range(3):
            cellular.timeline.chapter(f"cut {number}")
            if number < 2:
                cloud.cut(device)
            else:  # more than a board takes ends the connection too
                cloud.push(device, b"x" * 20000)
            heard(cellular, power, MATCH)
            assert cloud.ask(device, NOTIFY, bound("Unbind"))[0] == 200
            assert cellular.wait(power, "board", "notified").detail == "Unbind"
    assert cellular.count("cloud", "registers") == 0
    assert len(set(device.tokens)) == len(device.tokens) == 4
