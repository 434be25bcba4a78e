"""What the tests of Gizwits' device authorisation stand on: a sandbox and a client."""

import io
import itertools
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import create_server, socket
from typing import Any

import pytest
import xlsxwriter

from pointctl.certificates import CaFiles
from pointctl.clouds.gizwits.preauth.client import PreauthClient, PreauthSettings
from pointctl.clouds.gizwits.preauth.sandbox import keys, stock
from pointctl.clouds.gizwits.preauth.sandbox.models import CallKind, KeyMode, TokenRole
from pointctl.clouds.gizwits.sandbox.database import open_database
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.folder import DataFolder
from tests.host.serving import PRODUCT, Server
from tests.patience import PATIENCE_S

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"  # of PRODUCT
# Marks tests of the fixture `sandbox_database`: they run on each database there is.
ON_BOTH = pytest.mark.parametrize(
    "sandbox_database", ["sqlite", "postgresql"], indirect=True
)
_pins = itertools.count(1)


class Sandbox(Server):
    """A real `pointctl sandbox serve` process."""

    COMMAND = ("sandbox", "serve")
    DATABASE = "POINTCTL_SANDBOX_DATABASE"


@contextmanager
def filled_database(
    folder: DataFolder, url: str | None = None
) -> Iterator[SandboxDatabase]:
    """A sandbox's database with PRODUCT."""
    keys.create_secret(folder)
    secret = keys.open_maker(folder, None).secret
    with open_database(folder, url) as database:
        stock.add_product(database, PRODUCT, "Tracker", SECRET, secret)
        yield database


@dataclass(frozen=True)
class Customer:
    """A customer of the sandbox: a pin, an auth_code, an Authorization."""

    database: SandboxDatabase
    pin: str
    auth_code: str
    package: int
    authorization: str

    def top_up(self, capacity: int, **details: Any) -> int:
        """Another package of the same auth_code; its number."""
        made, _ = stock.add_package(
            self.database,
            self.pin,
            self.auth_code,
            PRODUCT,
            capacity,
            **details,
        )
        return made.id

    def change(self, **details: Any) -> None:
        """Change the first package."""
        stock.change_package(self.database, self.package, **details)

    def size(self) -> int:
        """How many keys are used, of all packages of the pin."""
        packages = stock.list_packages(self.database)
        return sum(each.size for each in packages if each.pin == self.pin)


def customer(
    database: SandboxDatabase,
    capacity: int = 10,
    *,
    product: str = PRODUCT,
    mode: KeyMode = KeyMode.CLOUD,
    kind: CallKind = CallKind.ANY,
    days: float | None = None,
    role: TokenRole = TokenRole.ISSUE,
) -> Customer:
    """A new one, with a package."""
    number = next(_pins)
    pin = f"{number:032x}"
    package, auth_code = stock.add_package(
        database, pin, None, product, capacity, mode=mode, kind=kind, days=days
    )
    token = stock.add_token(database, f"t{number}", role, pin)
    return Customer(database, pin, auth_code, package.id, token)


def settings_of(server: Server, authorization: str, **changes: Any) -> PreauthSettings:
    """How a client asks this sandbox."""
    made = PreauthSettings(
        authorization=authorization, url=server.url, ca=server.ca_file, within_s=60
    )
    return replace(made, **changes)


@contextmanager
def client_of(
    server: Server, who: Customer, **changes: object
) -> Iterator[PreauthClient]:
    """A client of a customer's."""
    with PreauthClient(settings_of(server, who.authorization, **changes)) as client:
        yield client


def xlsx(*rows: tuple[object, ...]) -> bytes:
    """A workbook with these rows; numbers are numbers."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return made.getvalue()


def ok(body: bytes, kind: str = "application/json") -> bytes:
    """A whole reply."""
    return reply(200, body, f"Content-Type: {kind}")


def reply(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A reply with this status."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


Act = Callable[[socket], None]


@dataclass
class Hostile:
    """A TLS server that answers each connection as it was told, the last for ever.

    An answer is bytes, or a function that is given the socket after the request.
    """

    authority: CaFiles
    answers: list[bytes | Act]
    requests: list[bytes] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://localhost:{self.port}"

    @property
    def ca_file(self) -> Path:
        """By which it can be trusted."""
        return self.authority.ca

    @contextmanager
    def running(self) -> Iterator["Hostile"]:
        """Serve as long as the block runs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.server, self.authority.server_key)
        ending = threading.Event()
        with create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.05)
            self.port = listener.getsockname()[1]
            thread = threading.Thread(
                target=self._serve, args=(listener, context, ending)
            )
            thread.start()
            try:
                yield self
            finally:
                ending.set()
                thread.join(PATIENCE_S)

    def _serve(
        self, listener: socket, context: ssl.SSLContext, ending: threading.Event
    ) -> None:
        while not ending.is_set():
            with suppress(TimeoutError):
                peer = listener.accept()[0]
                peer.settimeout(200)
                with suppress(OSError), context.wrap_socket(peer, True) as secure:
                    self._answer(secure)
                peer.close()

    def _answer(self, peer: ssl.SSLSocket) -> None:
        self.requests.append(_request(peer))
        answers = self.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer(peer)
        else:
            peer.sendall(answer)


def _request(peer: ssl.SSLSocket) -> bytes:
    """A request, as far as its Content-Length goes."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (part := peer.recv(65536)):
            return data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.split(b":") for line in head.lower().split(b"\r\n")]
    length = next((int(v[0]) for k, *v in lines if k == b"content-length"), 0)
    while len(body) < length:
        if not (part := peer.recv(65536)):
            break
        body += part
    return head + b"\r\n\r\n" + body
