"""Dynamic registration over HTTPS: main.py on the real MicroPython, through real TLS.

The cloud here shares no code with the board: Python's http.server and hmac.
"""

import hashlib
import hmac
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import trustme

from point.digest import sha256
from point.store import Store
from pointctl.boards import flash, micropython
from pointctl.broker.process import free_port
from pointctl.demo.system import HEAP_BYTES
from tests import runtimes
from tests.e2e import hostile

KEY = "a1B2c3D4e5F"
SECRET = "pr0duct-s3cret16"
IMEI = "490154203237518"
MEMBERS = {"productKey", "deviceName", "random", "sign", "signMethod"}
ACTIVE = 6288  # any code but 200
# The waits between attempts are others' to test.
PROGRAM = """
from point import compat
compat.sleep_ms = lambda ms: None
import boot, main
"""


class Cloud(ThreadingHTTPServer):
    """The cloud's one endpoint, for one product."""

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = hostile.server_context(authority.issue_cert("localhost"))
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.randoms: list[str] = []
        self.issued: list[str] = []
        self.active = False

    def register(self, path: str, kind: str, body: str) -> dict[str, object]:
        """The answer to a POST, or an AssertionError if it is not as documented."""
        assert path == "/auth/register/device"
        assert kind == "application/x-www-form-urlencoded"
        pairs = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        assert len(pairs) == len(form)
        assert form.keys() == MEMBERS
        assert form["productKey"] == KEY
        assert form["random"] not in self.randoms
        self.randoms.append(form["random"])
        text = "".join(n + form[n] for n in ("deviceName", "productKey", "random"))
        method = {"hmacsha256": hashlib.sha256, "hmacsha1": hashlib.sha1}
        expected = hmac.new(SECRET.encode(), text.encode(), method[form["signMethod"]])
        signed = hmac.compare_digest(form["sign"], expected.hexdigest())
        if not signed or self.active:
            return {"code": ACTIVE, "message": "refused"}
        self.issued.append(f"secret-{len(self.issued)}-of-{form['deviceName']}")
        names = {name: form[name] for name in ("productKey", "deviceName")}
        data = {**names, "deviceSecret": self.issued[-1]}
        return {"code": 200, "data": data, "message": "success"}


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 around Cloud.register()."""

    server: Cloud
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        kind = self.headers["Content-Type"]
        answer = json.dumps(self.server.register(self.path, kind, body)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: pytest shows what the board says."""


class Board:
    """A board whose settings.json names the cloud as the source."""

    def __init__(self, folder: Path, cloud: Cloud, ca: bytes, **more: object) -> None:
        self.runtime = micropython.find()
        self.folder = folder
        settings = {
            "source": "aliyun",
            "url": f"https://localhost:{cloud.server_port}/auth/register/device",
            "productKey": KEY,
            "productSecret": SECRET,
            "ca": "ca.der",
            "spreadS": 0,
            "mqtt": {"host": "localhost", "port": free_port()},  # nobody's
        }
        flash.assemble(
            folder, "unix", settings | more, ca, libraries=self.runtime.libraries
        )

    def boot(self) -> str:
        """Power it on until it has said what became of its credentials."""
        program = str(self.runtime.command)
        process = subprocess.Popen(
            [program, "-X", f"heapsize={HEAP_BYTES}", "-c", PROGRAM],
            cwd=self.folder,
            env={**os.environ, "POINTACCESS_IMEI": IMEI, "MICROPYPATH": ":.frozen:lib"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said: list[str] = []
        timer = threading.Timer(120, process.kill)
        timer.start()
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if " credentials " in line:
                    break
            timer.cancel()
            process.kill()
        assert " credentials " in said[-1], "".join(said)
        return said[-1].partition(" credentials ")[2].strip()

    @property
    def device(self) -> Any:
        """What its flash holds of the device."""
        key = sha256(b"flash" + IMEI.encode())  # as firmware/unix has it
        record = Store(str(self.folder), key).load()
        assert record is not None
        return record["device"]


@pytest.fixture
def cloud(authority: trustme.CA) -> Iterator[Cloud]:
    """A cloud that runs."""
    with Cloud(authority) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def ca(authority: trustme.CA) -> bytes:
    """The CA as a board has it."""
    runtimes.micropython()
    return hostile.der(authority)


def test_a_boards_first_years(cloud: Cloud, ca: bytes, tmp_path: Path) -> None:
    """Registered once, from flash ever after; active, it is refused and says so."""
    board = Board(tmp_path / "flash", cloud, ca)
    assert board.boot() == "00000 server"
    assert board.device["deviceSecret"] == cloud.issued[0]
    assert board.device["deviceName"] == IMEI
    assert board.device["productSecret"] is None
    assert board.boot() == "00000 flash"
    assert len(cloud.issued) == 1
    # Before it has connected it may lose its flash; the cloud gives it another secret.
    erase(board)
    assert board.boot() == "00000 server"
    assert board.device["deviceSecret"] == cloud.issued[1]
    cloud.active = True
    assert board.boot() == "00000 flash"
    erase(board)
    said = board.boot()
    assert said.startswith(f"{ACTIVE} E35 REFUSED: the cloud answered {ACTIVE}: active")
    assert len(cloud.issued) == 2
    assert len(set(cloud.randoms)) == len(cloud.randoms) == 2 + 5


def test_another_product_secret(cloud: Cloud, ca: bytes, tmp_path: Path) -> None:
    """A signature that is wrong gives nothing, and the secret is not told."""
    board = Board(tmp_path / "flash", cloud, ca, productSecret="another-s3cret16")
    said = board.boot()
    assert said.startswith(f"{ACTIVE} E35 REFUSED")
    assert "s3cret" not in said
    assert not cloud.issued


def test_a_cloud_that_is_not_trusted(cloud: Cloud, ca: bytes, tmp_path: Path) -> None:
    """Under another CA nothing is sent."""
    del ca
    other = hostile.der(trustme.CA(key_type=trustme.KeyType.ECDSA))
    board = Board(tmp_path / "flash", cloud, other, timeoutS=5)
    assert board.boot().startswith("77777 E22 TLS_CA")
    assert not cloud.randoms


def test_signed_by_sha_1(cloud: Cloud, ca: bytes, tmp_path: Path) -> None:
    """The older method, and a name of the engineer's choice."""
    names = {"signMethod": "hmacsha1", "deviceName": "meter@hall:2"}
    board = Board(tmp_path / "flash", cloud, ca, **names)
    assert board.boot() == "00000 server"
    assert board.device["deviceName"] == "meter@hall:2"


def erase(board: Board) -> None:
    """As if the flash had been formatted, but for what deployment wrote."""
    for name in ("credentials.*", "pending.*"):
        for file in board.folder.glob(name):
            file.unlink()
