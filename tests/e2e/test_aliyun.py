"""Alibaba's cloud as the source of credentials: main.py on the real MicroPython.

The other side is a stand-in that shares no code with the component; what it has to
complain of fails a test at its end.
"""

import hashlib
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e import hostile
from tests.e2e.aliyun_field import IMEI, Field, field
from tests.e2e.hostile import Seen


@pytest.fixture
def cellular(authority: trustme.CA, tmp_path: Path) -> Iterator[Field]:
    """A device that has no secret yet, and a cloud that runs."""
    with field(authority, tmp_path) as made:
        yield made


@pytest.mark.parametrize("method", ["hmacsha256", "hmacsha1", "hmacmd5"])
def test_a_boards_first_years(cellular: Field, method: str) -> None:
    """Registered over MQTT once, connected with what it was given ever after."""
    board = cellular.board(signMethod=method)
    with board.power_on() as power:
        cellular.wait(power, "board", "published")
    device = cellular.device
    assert cellular.count("cloud", "registers") == len(device.secrets) == 1
    assert device.active
    for number in range(2):
        cellular.timeline.chapter(f"a later boot, {number}")
        with board.power_on() as power:
            cellular.wait(power, "board", "published")
        assert cellular.count("cloud", "registers") == 0
        assert cellular.count("cloud", "refuses") == 0
    assert not cellular.cloud.strays


def test_by_token(cellular: Field) -> None:
    """A device that nobody has made beforehand is given a token, and stays in by it."""
    board = cellular.board(register="mqtt-token", deviceName="meter-1")
    for number in range(2):
        cellular.timeline.chapter(f"boot {number}")
        with board.power_on() as power:
            cellular.wait(power, "board", "published")
        assert cellular.count("cloud", "registers") == 1 - number
    device = cellular.cloud.registry.find(cellular.product.key, "meter-1")
    assert device.client_id
    assert device.active
    assert len(device.secrets) == 1


def test_in_an_instance_of_ones_own(cellular: Field) -> None:
    """An enterprise's instance is named, and registers in a mode of its own."""
    cellular.product.instance_id = "iot-060a0abc"
    with cellular.board(instanceId="iot-060a0abc").power_on() as power:
        cellular.wait(power, "board", "published")
    assert cellular.device.active


def test_over_https(cellular: Field) -> None:
    """What the form was answered with opens the broker, too."""
    url = f"https://127.0.0.1:{cellular.cloud.server.http_port}/auth/register/device"
    with cellular.board(register="https", url=url).power_on() as power:
        cellular.wait(power, "board", "published")
    assert cellular.device.active
    assert len(cellular.device.secrets) == 1


def test_active_already(cellular: Field) -> None:
    """A second registration after activation is refused, and the board says so."""
    board = cellular.board()
    with board.power_on() as power:
        cellular.wait(power, "board", "published")
    board.erase()
    cellular.timeline.chapter("the flash was formatted")
    with board.power_on() as power:
        said = cellular.wait(power, "board", "credentials")
    assert said.detail.startswith("40901 E35 REFUSED: ")
    assert "active already" in said.detail
    assert cellular.count("cloud", "refuses") == 5
    assert len(cellular.device.secrets) == 1


def test_another_product_secret(cellular: Field) -> None:
    """Nothing is given for a signature that is wrong, and no secret is told."""
    with cellular.board(productSecret="another-s3cret").power_on() as power:
        said = cellular.wait(power, "board", "credentials")
    assert said.detail.startswith("40901 E35 REFUSED: ")
    assert "s3cret" not in said.detail
    assert not cellular.device.secrets


def test_in_flash_before_the_connection_ends(cellular: Field) -> None:
    """Killed the moment it hangs up, the board has the secret."""
    board = cellular.board()
    with board.power_on() as power:
        cellular.wait(power, "cloud", "ends registration of")
        power.kill()
    cellular.timeline.chapter("the next boot")
    with board.power_on() as power:
        cellular.wait(power, "board", "published")
    assert cellular.count("cloud", "registers") == 0
    assert len(cellular.device.secrets) == 1


def test_killed_as_the_secret_comes(cellular: Field) -> None:
    """Whatever of the answer it still got, the board is not lost."""
    board = cellular.board()
    for number in range(2):
        board.erase()
        cellular.device.active = False  # as a reset on the console does
        cellular.timeline.chapter(f"the plug is pulled, {number}")
        with board.power_on() as power:
            cellular.wait(power, "cloud", "registers")
            power.kill()
        cellular.timeline.chapter(f"the next boot, {number}")
        with board.power_on() as power:
            cellular.wait(power, "board", "published")
        assert cellular.count("cloud", "registers") <= 1
        assert cellular.count("cloud", "refuses") == 0
    assert cellular.device.active


@pytest.mark.parametrize("killed", [True, False])
def test_half_a_secret(cellular: Field, killed: bool) -> None:
    """Cut off in the middle of the answer, the board registers again."""
    board = cellular.board()
    cellular.cloud.share = 0.5
    with board.power_on() as power:
        cellular.wait(power, "cloud", "registers")
        if killed:
            power.kill()
        cellular.cloud.share = 1
        if not killed:
            cellular.wait(power, "board", "published")
    cellular.timeline.chapter("the next boot")
    with board.power_on() as power:
        cellular.wait(power, "board", "published")
    assert cellular.count("cloud", "registers") == killed
    assert len(cellular.device.secrets) == len(cellular.device.randoms)


FORGED = {
    "another": b'{"productKey":"%s","deviceName":"%s0","deviceSecret":"0"}',
    "no secret": b'{"productKey":"%s","deviceName":"%s"}',
    "two words": b'{"productKey":"%s","deviceName":"%s","deviceSecret":"two words"}',
    "a list": b'[{"productKey":"%s","deviceName":"%s","deviceSecret":"0"}]',
    "not json": b"{",
    "too long": b"\xff" * 20000,
}


@pytest.mark.parametrize("forged", FORGED)
def test_an_answer_that_is_none(cellular: Field, forged: str) -> None:
    """It is not kept; the one after it is."""
    answer = FORGED[forged]
    names = cellular.product.key.encode(), IMEI.encode()
    cellular.cloud.forged = [answer % names[: answer.count(b"%s")]]
    with cellular.board().power_on() as power:
        cellular.wait(power, "board", "published")
    assert cellular.count("cloud", "registers") == 2
    assert cellular.count("cloud", "refuses") == 0


def test_reset_on_the_console(cellular: Field) -> None:
    """A secret that the cloud forgets is refused three times, then another is got."""
    board = cellular.board()
    device = cellular.device
    with board.power_on() as power:
        cellular.wait(power, "board", "published")
        cellular.timeline.chapter("reset")
        device.secrets.append("")
        device.active = False
        cellular.cloud.cut(device)
        cellular.wait(power, "cloud", "registers")
        assert cellular.count("cloud", "refuses") == 3
        cellular.wait(power, "cloud", "connects")
    assert len(device.secrets) == 3


@pytest.mark.parametrize("wrong", ["ca", "pin"])
def test_a_cloud_that_is_not_trusted(
    cellular: Field, authority: trustme.CA, wrong: str
) -> None:
    """Under another CA, or with another certificate, nothing is sent."""
    other = trustme.CA(key_type=trustme.KeyType.ECDSA)
    signer, number = {
        "ca": (other, "E22 TLS_CA"),
        "pin": (authority, "E24 TLS_PIN"),
    }[wrong]
    trust: dict[str, Any] = {"pins": ["00" * 32]} if wrong == "pin" else {}
    context = hostile.server_context(signer.issue_cert("127.0.0.1"))

    def handle(sock: socket.socket, seen: Seen) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            seen.requests.append(secured.recv(65536))

    with hostile.listening(handle) as listener:
        mqtt = {"host": "127.0.0.1", "port": listener.port}
        with cellular.board(mqtt=mqtt, **trust).power_on() as power:
            said = cellular.wait(power, "board", "credentials")
    assert said.detail.startswith(f"77777 {number}")
    assert listener.seen.connections >= 5
    assert listener.seen.application_bytes == b""


def test_by_pin(cellular: Field) -> None:
    """The pin of the cloud's certificate will do instead of a CA."""
    pem = cellular.certificate.cert_chain_pems[0].bytes().decode()
    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    board = cellular.board(pins=[pin])
    settings = json.loads((board.flash / "settings.json").read_text())
    del settings["ca"]
    (board.flash / "settings.json").write_text(json.dumps(settings))
    with board.power_on() as power:
        cellular.wait(power, "board", "published")
    assert cellular.device.active


def test_randoms_are_fresh(cellular: Field) -> None:
    """No random is used twice, and none can be told from the one before."""
    board = cellular.board()
    for number in range(3):
        board.erase()
        cellular.device.active = False
        cellular.timeline.chapter(f"boot {number}")
        with board.power_on() as power:
            cellular.wait(power, "board", "published")
    randoms = cellular.device.randoms
    assert len(set(randoms)) == 3
    assert {len(each) for each in randoms} == {32}
    assert IMEI not in "".join(randoms)
