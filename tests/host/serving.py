"""What the host tests stand on: IMEIs, a finished command, a real server process."""

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import delete

from point import protocol
from point.host import protocol_server
from pointctl.certificates import CaFiles
from pointctl.folder import DataFolder
from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices import devices, products
from pointctl.registry.issuing import credentials, mqtt_login
from pointctl.registry.issuing.board_requests import BoardRequest, board_request
from pointctl.registry.issuing.issuer import Issuer
from pointctl.registry.issuing.outcomes import (
    CredentialIssued,
    FinalOutcome,
    RequestRefused,
)
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage.database import Database, open_database
from pointctl.registry.storage.models import Policy, Product, RateLimit
from tests.forked import Forked
from tests.patience import PATIENCE_S

if TYPE_CHECKING:
    from point.credentials import DeviceConfig

PRODUCT = "pk-test"
KEYED, SHARED = "pk-keyed", "pk-shared"  # their boards sign; see add_signed()
# Marks tests of the fixture `database`: they run on each database there is.
ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
KEYS = ClaimKeys(b"a claim master of thirty-two by.")

# What can be done to a device that was issued a credential, and its state then.
LIFE = (
    ("lock", "locked"),
    ("unlock", "issued"),
    ("rotate", "issued"),
    ("revoke", "revoked"),
    ("restore", "registered"),
    ("retire", "retired"),
    ("unretire", "registered"),
)


def cuts_handshakes(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test in which TLS handshakes are cut.

    httpx2 and paho leave their sockets to the garbage collector. It comes before the
    next test then, which would have to answer for them.
    """
    left = "ignore:unclosed <ssl.SSLSocket:ResourceWarning"
    return pytest.mark.usefixtures("collected")(pytest.mark.filterwarnings(left)(test))


def imei(serial: int) -> str:
    """A right IMEI for each serial number."""
    body = f"86612345{serial:06d}"
    total = sum(
        sum(divmod(int(digit) * (1 + place % 2), 10))
        for place, digit in enumerate(body)
    )
    return f"{body}{-total % 10}"


def url_of(request: pytest.FixtureRequest, *, empty: bool = False) -> str | None:
    """Where the database of a parametrized fixture is; None is the data folder.

    It has a registry's tables already, unless it is to be `empty`.
    """
    if getattr(request, "param", "sqlite") != "postgresql":
        return None
    postgres = request.getfixturevalue("postgres")
    return str(postgres.new_database() if empty else postgres.new_registry())


def open_registry(where: Path | str, folder: DataFolder) -> Database:
    """A new registry with one open product and the devices imei(0) … imei(9)."""
    opened = open_database(where, folder)
    products.add(
        opened,
        "Tracker",
        policy=Policy.OPEN,
        product_key=PRODUCT,
        mqtt_host="mqtt.test",
    )
    rows = [devices.validate_row(n, imei(n), None) for n in range(10)]
    devices.register(opened, PRODUCT, rows)
    return opened


def add_product(
    database: Database, key: str, count: int, policy: Policy = Policy.DEVICE_KEY
) -> None:
    """A product with the devices imei(0) and so on."""
    products.add(database, key, policy=policy, product_key=key, mqtt_host="h.test")
    rows = [devices.ImportRow(serial, imei(serial), None) for serial in range(count)]
    devices.register(database, key, rows)


def add_signed(database: Database, count: int) -> None:
    """A product of each signed policy, with the devices imei(0) and so on."""
    add_product(database, KEYED, count)
    add_product(database, SHARED, count, Policy.PRODUCT_SECRET)


@dataclass(frozen=True)
class Answer:
    """A final outcome, with None for what it does not have."""

    code: str
    config: "DeviceConfig | None" = None
    seal_key: bytes | None = None
    retry_after_s: int | None = None


def as_answer(outcome: FinalOutcome) -> Answer:
    """What a board is answered."""
    if isinstance(outcome, CredentialIssued):
        return Answer(outcome.code, outcome.config, outcome.seal_key)
    if isinstance(outcome, RequestRefused):
        return Answer(outcome.code, retry_after_s=outcome.retry_after_s)
    return Answer(outcome.code)


def decoded(message: dict[str, Any], address: str | None = None) -> BoardRequest:
    """The request of a board that sends `message`."""
    body = json.dumps(message).encode()
    return board_request(protocol_server.decode_request(body), address)


def answer(
    database: Database,
    request: dict[str, Any],
    accounts: BrokerAccounts | None = None,
    keys: ClaimKeys = KEYS,
) -> Answer:
    """What a board that sends `request` is answered."""
    return as_answer(Issuer(database, keys, accounts).answer(decoded(request)))


def code_of(
    database: Database,
    request: dict[str, Any],
    accounts: BrokerAccounts | None = None,
) -> str:
    """The code that a board is answered with."""
    return answer(database, request, accounts).code


def secret_of(
    database: Database,
    request: dict[str, Any],
    accounts: BrokerAccounts | None = None,
) -> str:
    """The deviceSecret that a claim gets; it has to get one."""
    given = answer(database, request, accounts)
    assert given.code == protocol.SUCCESS
    assert given.config is not None
    secret = given.config["device"]["deviceSecret"]
    assert secret is not None
    return secret


def secrets_of(
    database: Database, imei: str, product_key: str | None = None
) -> list[str]:
    """The deviceSecrets that a device may use, as its board would prove them."""
    with database.snapshot() as session:
        device = devices.find(session, imei, product_key)
        row = credentials.read(session.connection(), device.id)
        return credentials.secrets(database.vault, row)


def product_secret(database: Database, product_key: str) -> str:
    """The secret of a product."""
    with database.snapshot() as session:
        secret = products.decrypt_secret(
            database.vault, session.get_one(Product, product_key)
        )
    assert secret is not None
    return secret


def forget_failures(database: Database) -> None:
    """Nobody has failed yet: what is told of a stranger is not "slow down"."""
    with database.exclusive() as session:
        session.execute(delete(RateLimit))


def issue(database: Database, serial: int) -> "DeviceConfig":
    """Give the board its credential, as version 1 does."""
    config = answer(database, {"imei": imei(serial), "productKey": PRODUCT}).config
    assert config is not None
    return config


def log_in(
    database: Database, username: str, password: str
) -> mqtt_login.BrokerDevice | None:
    """The device that a broker lets in under any client id."""
    return mqtt_login.judge(database, "any", username, password).device


@dataclass(frozen=True)
class Board:
    """What a board sends, and how it reads what it is answered."""

    serial: int
    key: bytes
    product: str

    def _names(self) -> dict[str, Any]:
        return {"imei": imei(self.serial), "productKey": self.product}

    def claim(self, number: int, time: int = 0, secret: str | None = None):
        """A signed request under request id `number`."""
        return protocol.claim(self._names(), f"{number:032x}", self.key, time, secret)

    def acknowledge(self, number: int):
        """The acknowledgement of it."""
        return protocol.acknowledge(self._names(), f"{number:032x}", self.key)

    def post(self, client: httpx2.Client, message: dict[str, Any]):
        """Send it; (code, device_config or None, retryAfter) as the board sees them."""
        reply = client.post("/v1/access", json=message)
        code, body = protocol.decode_code(reply.status_code, reply.content)
        if "sealed" not in body:
            return code, None, body.get("retryAfter")
        return protocol.decode_reply(
            reply.status_code, reply.content, self.key, message["requestId"]
        )


def device_key_board(serial: int, product: str, keys: ClaimKeys = KEYS) -> Board:
    """A board with a claim key of its own."""
    return Board(serial, keys.derive(product, imei(serial)), product)


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """What it printed on stdout, parsed."""
        return json.loads(self.out)


class Server:
    """A real `pointctl serve` process; its log is kept and watched.

    It is forked, see tests/forked.py, unless it has to be `executed`.
    """

    COMMAND: tuple[str, ...] = ("serve",)
    DATABASE = "POINTCTL_DATABASE"  # the variable that names another database

    def __init__(
        self,
        data: Path,
        authority: CaFiles,
        *options: str | Path,
        url: str | None = None,
        executed: bool = False,
    ) -> None:
        self.data = data
        files: list[str | Path]
        files = ["--certificate", authority.server, "--key", authority.server_key]
        command = [*self.COMMAND, "--port", "0", *files, "--data", data, *options]
        env = os.environ | ({self.DATABASE: url} if url else {})
        env["PYTHONUNBUFFERED"] = "1"
        self.process: Forked | subprocess.Popen[str]
        # A process with workers starts them as what it was itself started as.
        if executed or "--workers" in options:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pointctl", *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=env,
            )
        else:
            self.process = Forked(command, env=env, stderr=subprocess.STDOUT)
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if not self._ready.wait(PATIENCE_S):
            self.process.kill()
            raise AssertionError(self.lines)
        self.ca_file = authority.ca
        self.port = self.events("ready")[0]["port"]
        self.url = f"https://localhost:{self.port}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if '"event": "ready"' in line:
                self._ready.set()
        self._ready.set()  # it ended: do not let the test wait

    def events(self, name: str) -> list[dict]:
        """The log events of one name so far."""
        records = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [record for record in records if record["event"] == name]

    def client(self) -> httpx2.Client:
        """A client that verifies the throw-away CA."""
        context = ssl.create_default_context(cafile=self.ca_file)
        return httpx2.Client(base_url=self.url, verify=context, timeout=PATIENCE_S)

    def stop(self, number: int | None = None) -> int:
        """End it by SIGTERM or another signal; its exit code."""
        if number is None:
            self.process.terminate()
        else:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code
