"""What support engineers run: which bytes are hashed, and what a broker says."""

import hashlib
import hmac
import json
import os
import queue
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pointctl.broker import embedded
from pointctl.broker.process import HOST, free_port
from pointctl.registry.devices import devices, products
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy
from tests.brokers import Certificates, Room, make_certificates, running
from tests.host.serving import Finished, answer, cuts_handshakes, imei
from tests.patience import PATIENCE_S
from tests.runtimes import ROOT

if TYPE_CHECKING:
    from point.credentials import DeviceConfig

CANARY = "canary7d41"
GOLDEN = json.loads((ROOT / "tests/golden/alibaba.json").read_text())["vectors"]
GIZWITS = json.loads((ROOT / "tests/golden/gizwits.json").read_text())["vectors"]
RANDOM = "98c17ed9e3a240d0990f28fdf79778b2"
SIGN = ["mqtt", "sign", "--product", "pk", "--device", "dev"]

Run = Callable[..., Finished]


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives commands a secret in the environment."""

    def give(text: str) -> None:
        monkeypatch.setenv("POINTCTL_SECRET", text)

    monkeypatch.delenv("POINTCTL_SECRET", raising=False)
    return give


def of_kind(*kinds: str) -> Any:
    """A parametrization over golden vectors."""
    found = [vector for vector in [*GOLDEN, *GIZWITS] if vector["kind"] in kinds]
    return pytest.mark.parametrize("vector", found, ids=lambda vector: vector["id"])


@of_kind("provisioning_cipher")
def test_cipher_derive(pointctl: Run, secret: Any, vector: dict[str, Any]) -> None:
    """The key of the SDKs, out of the bytes that are listed, in their order."""
    given, expect = vector["inputs"], vector["expect"]
    secret(given["secret"])
    command = ["cipher", "derive", "--type", vector["cipherType"]]
    command += ["--random", given["random_hex"], "--json"]
    if "mac_hex" in given:
        command += ["--mac", given["mac_hex"]]
    done = pointctl(*command)
    assert done.code == 0
    made = b""
    for part in done.json["parts"]:
        piece = {
            "secret": given["secret"].encode(),
            "comma": bytes.fromhex("2c"),
            "mac": bytes.fromhex(given.get("mac_hex", "")),
            "random": bytes.fromhex(given["random_hex"]),
        }[part["name"]]
        assert part["bytes"] == len(piece)
        made += piece
    key = hashlib.sha256(made).hexdigest()
    assert done.json["provisioning_key"] == key
    channel_key = expect.get("aes128_key") or expect["documented_aes128_key"]
    assert done.json["channel_key"] == channel_key == key[:32]
    assert given["secret"] not in done.out


def test_cipher_derive_for_people(pointctl: Run, secret: Any) -> None:
    """The layout line by line; of the secret its length."""
    secret("J6mcNM0mM3SxwDMg")
    mac = ["--type", "6", "--mac", "54:AE:B3:EF:32:25"]
    done = pointctl("cipher", "derive", *mac, "--random", RANDOM.upper())
    rows = [line.split("  ") for line in done.out.splitlines()[1:6]]
    names = [row[0] for row in rows]
    assert names == ["secret", "comma", "mac", "comma", "random"]
    assert [int(row[-1]) for row in rows] == [16, 1, 6, 1, 16]
    assert "(16 characters)" in done.out
    assert "1 byte 2c" in done.out
    assert "6 bytes 54aeb3ef3225" in done.out
    assert "these 40 bytes" in done.out
    assert "3a1e0d32d3097e63db2e15c98ceb84d9" in done.out
    assert "J6mc" not in done.out + done.err


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--random", RANDOM[:-1]],
        ["--random", RANDOM[:-2]],
        ["--random", "g" * 32],
        ["--random", RANDOM, "--type", "5"],
        ["--random", RANDOM, "--type", "6"],
        ["--random", RANDOM, "--type", "7", "--mac", "54aeb3"],
        ["--random", RANDOM, "--type", "x"],
    ],
    ids=" ".join,
)
def test_cipher_derive_used_wrongly(
    pointctl: Run, secret: Any, wrong: list[str]
) -> None:
    """Never a key; exit code 2."""
    secret(CANARY)
    done = pointctl("cipher", "derive", *wrong)
    assert (done.code, done.out) == (2, "")
    assert CANARY not in done.err


@of_kind("mqtt_connect", "mqtt_password")
def test_mqtt_sign(pointctl: Run, secret: Any, vector: dict[str, Any]) -> None:
    """The password of four SDKs, out of the parts that are listed, in their order."""
    given = vector["inputs"]
    secret(given["deviceSecret"])
    done = pointctl(
        *("mqtt", "sign", "--product", given["productKey"]),
        *("--device", given["deviceName"], "--timestamp", given["timestamp"]),
        *("--client-id", given.get("bare_clientId") or given["clientId"]),
        *("--sign-method", vector["signmethod"], "--json"),
    )
    assert done.code == 0, done.err
    text = "".join(part["enters_as"] for part in done.json["parts"])
    assert sum(part["bytes"] for part in done.json["parts"]) == len(text)
    key, method = given["deviceSecret"].encode(), vector["signmethod"][4:]
    password = hmac.new(key, text.encode(), method).hexdigest()
    assert done.json["password"] == password == vector["expect"]["password"].lower()
    if "sign_content" in vector:
        assert text == vector["sign_content"]
    assert done.json["user"] == f"{given['deviceName']}&{given['productKey']}"
    assert given["deviceSecret"] not in done.out


@of_kind("gizwits_login")
def test_mqtt_sign_of_gizwits(
    pointctl: Run, secret: Any, vector: dict[str, Any]
) -> None:
    """A sum over product, MAC, auth_key and a nonce of its own, joined by commas."""
    given = vector["inputs"]
    secret(given["deviceSecret"])
    done = pointctl(
        *("mqtt", "sign", "--auth", "gizwits", "--client-id", given["did"]),
        *("--product", given["productKey"], "--device", given["deviceName"], "--json"),
    )
    text = ""
    for part in done.json["parts"]:
        is_key = part["name"] == "auth_key"
        text += given["deviceSecret"] if is_key else part["enters_as"]
    assert sum(part["bytes"] for part in done.json["parts"]) == len(text)
    assert done.json["password"] == hashlib.sha256(text.encode()).hexdigest()
    nonce = text.rpartition(",")[2]
    assert done.json["user"] == f"{given['did']}|signmethod=sha256,signnonce={nonce}"
    assert given["deviceSecret"] not in done.out


@pytest.mark.parametrize("auth", ["plain", "gizwits-classic", "aliyun-token"])
def test_a_password_that_is_the_secret_is_not_shown(
    pointctl: Run, secret: Any, auth: str
) -> None:
    """Nothing is signed there, and that is said."""
    secret(CANARY)
    command = [*SIGN, "--auth", auth, "--client-id", "did1"]
    for more in ([], ["--json"]):
        done = pointctl(*command, *more)
        assert done.code == 0
        assert "nothing is signed" in done.out
        assert f"({len(CANARY)} characters)" in done.out
        assert CANARY not in done.out + done.err


def test_mqtt_sign_for_people(pointctl: Run, secret: Any) -> None:
    """Alibaba's published example; with the time, and without."""
    secret("secret")
    example = ["mqtt", "sign", "--product", "pk", "--device", "device", "--no-tls"]
    example += ["--client-id", "12345", "--sign-method", "hmacsha1", "--timestamp"]
    done = pointctl(*example, "789")
    assert "hex(HMAC-SHA1(deviceSecret (6 characters), parts))" in done.out
    assert "12345|securemode=3,signmethod=hmacsha1,timestamp=789|" in done.out
    assert "fafd82a3d602b37fb0fa8b7892f24a477f851a14" in done.out
    rows = done.out.splitlines()[2:6]
    names = ["clientId", "deviceName", "productKey", "timestamp"]
    assert [row.split()[0] for row in rows] == names
    without = pointctl(*example, "none")
    assert "timestamp" not in without.out


@pytest.mark.parametrize(
    "wrong",
    [
        ["--auth", "telepathy"],
        ["--sign-method", "hmacsha512"],
        ["--auth", "plain", "--sign-method", "hmacmd5"],
        ["--auth", "gizwits", "--timestamp", "1", "--client-id", "did"],
        ["--auth", "gizwits"],
        ["--auth", "aliyun-token"],
        ["--client-id", "a|b"],
        ["--client-id", "x" * 65],
        ["--timestamp", "1,lan=C"],
        ["--device", "../x"],
    ],
    ids=" ".join,
)
def test_mqtt_sign_used_wrongly(pointctl: Run, secret: Any, wrong: list[str]) -> None:
    """Exit code 2, nothing on stdout."""
    secret(CANARY)
    done = pointctl(*SIGN, *wrong)
    assert (done.code, done.out) == (2, "")
    assert CANARY not in done.err


def test_where_a_secret_comes_from(
    pointctl: Run, secret: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that nobody else may read, then the environment; never a guess."""
    command = [*SIGN, "--auth", "plain", "--json"]
    none = pointctl(*command)
    assert (none.code, none.out) == (1, "")
    assert "--secret-file" in none.err
    assert "POINTCTL_SECRET" in none.err
    secret("of the environment".replace(" ", "-"))
    assert pointctl(*command).json["password"] == "(18 characters)"
    path = tmp_path / "secret"
    path.write_text("of-a-file\n")
    path.chmod(0o600)
    named = [*command, "--secret-file", path]
    assert pointctl(*named).json["password"] == "(9 characters)"
    for text, mode, why in (
        ("of-a-file", 0o640, "others may read"),
        ("\n", 0o600, "empty"),
    ):
        path.write_text(text)
        path.chmod(mode)
        done = pointctl(*named)
        assert done.code == 1
        assert why in done.err
        assert "of-a-file" not in done.err
    assert pointctl(*command, "--secret-file", tmp_path / "none").code == 1


def test_a_secret_is_asked_for_without_an_echo() -> None:
    """At a terminal, where neither file nor environment has it."""
    pty = pytest.importorskip("pty")
    main, side = pty.openpty()
    command = [sys.executable, "-m", "pointctl", *SIGN, "--auth", "plain"]
    environment = {k: v for k, v in os.environ.items() if k != "POINTCTL_SECRET"}
    process = subprocess.Popen(
        command,
        stdin=side,
        stdout=subprocess.PIPE,
        stderr=side,
        env=environment,
        text=True,
        start_new_session=True,
    )
    os.close(side)
    shown = b""
    while b"secret:" not in shown:
        shown += os.read(main, 100)
    os.write(main, CANARY.encode() + b"\n")
    out, _ = process.communicate(timeout=PATIENCE_S)
    while chunk := read_or_end(main):
        shown += chunk
    os.close(main)
    assert process.returncode == 0, shown
    assert f"({len(CANARY)} characters)" in out
    assert CANARY not in out + shown.decode()


def read_or_end(handle: int) -> bytes:
    """Linux ends a terminal whose other side is closed with an error."""
    try:
        return os.read(handle, 1000)
    except OSError:
        return b""


@pytest.fixture(scope="module")
def room(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Room, "DeviceConfig"]]:
    """An embedded broker, and the device_config of an Alibaba device that it knows."""
    folder = tmp_path_factory.mktemp("support")
    files = make_certificates(folder)
    registry = folder / "data" / "registry.sqlite"
    lines: list[str] = []
    with open_database(registry) as database:
        products.add(
            database,
            "T",
            policy=Policy.OPEN,
            product_key="a1B2",
            auth="aliyun",
            mqtt_host=HOST,
        )
        devices.register(database, "a1B2", [devices.ImportRow(1, imei(0), "meter-1")])
        config = answer(database, {"imei": imei(0)}).config
    assert config is not None
    broker = embedded.broker(
        folder / "broker",
        port=free_port(),
        certificate=files.certificate,
        key=files.key,
        ca_file=files.ca,
        registry=registry,
        on_line=lines.append,
    )
    with running(broker):
        yield Room(broker, files.ca, {}, lines), config


def connect(pointctl: Run, port: int, ca: Path | None, *more: str) -> Finished:
    """Runs mqtt connect as the device of `room`."""
    where = ["--host", "localhost", "--port", str(port), "--deadline", "5"]
    trust = ["--ca", str(ca)] if ca else []
    who = ["--product", "a1B2", "--device", "meter-1"]
    return pointctl("mqtt", "connect", *who, *where, *trust, *more)


def test_mqtt_connect(pointctl: Run, secret: Any, room: Any) -> None:
    """In, subscribed, published and heard: exit code 0, as table and as JSON."""
    running_room, config = room
    secret(config["device"]["deviceSecret"])
    topic = "/sys/a1B2/meter-1/thing/x"
    talk = ["--subscribe", topic, "--publish", topic, "--message", "{}"]
    port, ca = running_room.broker.port, running_room.ca_file
    done = connect(pointctl, port, ca, *talk, "--json")
    assert done.code == 0, done.err
    assert done.json["connack"] == 0
    assert done.json["subscribed"] is done.json["published"] is True
    assert done.json["received"] == topic
    assert done.json["port"] == port
    names = [part["name"] for part in done.json["parts"]]
    assert names == ["clientId", "deviceName", "productKey", "timestamp"]
    text = connect(pointctl, port, ca, *talk)
    assert text.code == 0
    assert "CONNACK     0: accepted" in text.out
    assert f"received    {topic}" in text.out
    assert config["device"]["deviceSecret"] not in done.out + text.out
    alone = connect(pointctl, port, ca, "--json").json
    assert [alone[name] for name in ("subscribed", "published")] == [None, None]


def test_mqtt_connect_with_a_wrong_secret(
    pointctl: Run, secret: Any, room: Any
) -> None:
    """Refused: exit code 3, with what the broker said, after what was signed."""
    running_room, _ = room
    secret(CANARY)
    done = connect(pointctl, running_room.broker.port, running_room.ca_file)
    assert done.code == 3
    assert "clientIda1B2.meter-1" in done.out
    assert "refused CONNACK" in done.err
    assert CANARY not in done.out + done.err
    told = connect(pointctl, running_room.broker.port, running_room.ca_file, "--json")
    assert (told.code, told.json["connack"] in (4, 5)) == (3, True)


def test_mqtt_connect_to_a_topic_of_another(
    pointctl: Run, secret: Any, room: Any
) -> None:
    """A subscription that is not granted is a refusal, too."""
    running_room, config = room
    secret(config["device"]["deviceSecret"])
    topic = ["--subscribe", "/sys/a1B2/meter-2/#"]
    done = connect(
        pointctl, running_room.broker.port, running_room.ca_file, *topic, "--json"
    )
    assert (done.code, done.json["subscribed"]) == (3, False)
    assert "the subscription" in done.err


@cuts_handshakes
def test_mqtt_connect_tells_nothing_to_whom_it_cannot_verify(
    pointctl: Run, secret: Any, room: Any, tmp_path: Path
) -> None:
    """Another CA, or the system's: exit code 1, and the broker sees no CONNECT."""
    running_room, _ = room
    secret(CANARY)
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other").ca
    before = len(running_room.lines)
    for ca in (other, None):
        done = connect(pointctl, running_room.broker.port, ca)
        assert done.code == 1
        assert "certificate is refused" in done.err
    assert not [x for x in running_room.lines[before:] if '"connect"' in x]


class Scripted:
    """A TLS server that answers a CONNECT with fixed bytes, or with silence."""

    def __init__(self, files: Certificates, reply: bytes | None) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self.heard: queue.Queue[bytes] = queue.Queue()
        self._reply = reply
        self._listener = socket.create_server((HOST, 0))
        self._context = context
        self.port = self._listener.getsockname()[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        with plain, self._context.wrap_socket(plain, server_side=True) as stream:
            self.heard.put(stream.recv(4096))
            if self._reply is None:
                self._done.wait(PATIENCE_S)
            elif self._reply:
                stream.sendall(self._reply)
                stream.recv(1)

    def close(self) -> None:
        self._done.set()
        self._thread.join(PATIENCE_S)
        self._listener.close()


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (b"\x20\x02\x00\x02", 3, "CONNACK 2: the client id is refused"),
        (b"\x20\x02\x00\x03", 3, "CONNACK 3: the service is not available"),
        (b"\x20\x02\x00\x04", 3, "CONNACK 4: bad user name or password"),
        (b"\x20\x02\x00\x05", 3, "CONNACK 5: not authorized"),
        (b"\x20\x02\x00\x09", 3, "an answer that MQTT 3.1.1 does not know"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 1, "no CONNACK in time"),
        (b"", 1, "closed the connection instead of a CONNACK"),
        (None, 1, "no CONNACK in time"),
    ],
)
def test_what_brokers_say(
    pointctl: Run,
    secret: Any,
    tmp_path: Path,
    reply: bytes | None,
    code: int,
    said: str,
) -> None:
    """Each answer that MQTT has, none at all, and a hang-up."""
    secret(CANARY)
    files = make_certificates(tmp_path)
    server = Scripted(files, reply)
    try:
        done = connect(pointctl, server.port, files.ca, "--deadline", "1")
    finally:
        server.close()
    assert done.code == code, done.err
    assert said in done.err
    assert server.heard.get(timeout=5)[0] == 0x10


def test_mqtt_connect_where_nobody_is(pointctl: Run, secret: Any) -> None:
    """A closed port, a name that does not resolve; and no host to try at all."""
    secret(CANARY)
    assert connect(pointctl, free_port(), None).code == 1
    who = ["mqtt", "connect", "--product", "a1B2", "--device", "d"]
    unknown = pointctl(*who, "--host", "no-such-host.invalid", "--deadline", "5")
    assert unknown.code == 1
    assert "does not resolve" in unknown.err
    assert pointctl(*who, "--auth", "plain").code == 2
