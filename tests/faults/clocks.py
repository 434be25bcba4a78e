"""Boards that think it is 1970 or 2106, and a server whose certificate is right.

libfaketime moves the VM's clock. The certificate is verified, or refused by its date
with an error of its own and not a byte sent; a claim keeps its id whatever the clock.
"""

import hashlib
import os
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import trustme

from point import seal
from point.clock import BUILT
from point.host import protocol_server
from tests.e2e import hostile
from tests.faults.bench import Row, timed
from tests.faults.field import BoardProcess
from tests.optional import PARTS

KEY = b"k" * 32
BOARD = {"imei": "490154203237518", "productKey": "a1B2c3D4e5F", "key": KEY.hex()}
RIGHT = datetime.fromtimestamp(BUILT, UTC) + timedelta(days=30)
VALID = RIGHT - timedelta(days=31), RIGHT + timedelta(days=59)
PAST = {
    "1970": datetime(1970, 1, 2, tzinfo=UTC),
    "2000": datetime(2000, 1, 1, tzinfo=UTC),
    "a day too early": VALID[0] - timedelta(days=1),
}
FUTURE = {
    "a day too late": VALID[1] + timedelta(days=1),
    "2038": datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    "2106": datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC),
}


class Case(NamedTuple):
    """What the clock says, what can be done about it, and what must come of it."""

    name: str
    clock: datetime
    network: datetime | None  # what the network says the time is
    settable: bool  # the board can set its clock
    pin: str | None  # "right" or "wrong": a pin instead of a CA
    error: str | None  # None: credentials


def cases() -> Iterator[Case]:
    """Every clock, with all that a board may know besides."""
    yield Case("right", RIGHT, None, True, None, None)
    for name, clock in PAST.items():
        yield Case(f"{name}, stuck", clock, None, False, None, "TLS_DATE")
        yield Case(f"{name}, stuck, network", clock, RIGHT, False, None, "TLS_DATE")
        yield Case(f"{name}, network", clock, RIGHT, True, None, None)
        yield Case(f"{name}, floor", clock, None, True, None, None)
        yield Case(f"{name}, network is early", clock, clock, True, None, None)
        late = FUTURE["2038"]
        yield Case(f"{name}, network is late", clock, late, True, None, "TLS_DATE")
    for name, clock in FUTURE.items():
        yield Case(name, clock, None, True, None, "TLS_DATE")
    for name, clock in (PAST | FUTURE).items():
        yield Case(f"{name}, pin", clock, None, False, "right", None)
        yield Case(f"{name}, wrong pin", clock, None, False, "wrong", "TLS_PIN")


class Authority:
    """A server of version 2 with a 90-day certificate; it notes what it is asked."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = authority.issue_cert(
            "localhost", not_before=VALID[0], not_after=VALID[1]
        )
        self._context = hostile.server_context(leaf)
        self.ca = folder / "ca.der"
        self.ca.write_bytes(hostile.der(authority))
        shown = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())
        self.pin = hashlib.sha256(shown).hexdigest()
        self.ids: list[str] = []

    def handle(self, sock: socket.socket, seen: hostile.Seen) -> None:
        """One connection: claims and acknowledgements until the board leaves."""
        with self._context.wrap_socket(sock, server_side=True) as secured:
            while hostile.read_request(secured, seen):
                body = seen.requests[-1].partition(b"\r\n\r\n")[2]
                secured.sendall(hostile.http(self._answer(body)))

    def _answer(self, body: bytes) -> bytes:
        request = protocol_server.decode_request(body)
        if request["ack"]:
            return protocol_server.encode_reply("00000")
        product_key, request_id = request["productKey"], request["requestId"]
        assert product_key is not None
        assert request_id is not None
        names = request["imei"], product_key, request_id, request["time"]
        if request["sign"] != seal.sign(KEY, "", *names):
            return protocol_server.encode_reply("40101")
        self.ids.append(request_id)
        return protocol_server.encode_sealed_reply(
            hostile.config(), KEY, request_id, os.urandom(16)
        )


def preload() -> str | None:
    """Where libfaketime is, as its own program says; None if it is not installed."""
    if PARTS["faketime"].find() is None:
        return None
    command = ["faketime", "2020-01-01", "printenv", "LD_PRELOAD"]
    return subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.strip()


class Bench:
    """The board's process with a clock that we set, and the server it asks."""

    def __init__(self, folder: Path, server: Authority, port: int, library: str):
        self._file = folder / "clock"
        self._server = server
        self._port = port
        self.set(RIGHT)
        self.process = BoardProcess(
            folder / "board",
            LD_PRELOAD=library,
            FAKETIME_TIMESTAMP_FILE=str(self._file),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            TZ="UTC",
        )

    def set(self, clock: datetime) -> None:
        """The board's clock stands at this time."""
        self._file.write_text(clock.strftime("%Y-%m-%d %H:%M:%S"))

    def live(self, case: Case, fresh: bool) -> dict:
        """One ensure() with the case's clock."""
        self.set(case.clock)
        pins = {"right": self._server.pin, "wrong": "00" * 32}
        return self.process.live(
            **BOARD,
            ca=None if case.pin else str(self._server.ca),
            pin=pins[case.pin] if case.pin else None,
            port=self._port,
            timeout=60,  # no case waits for it
            fresh=fresh,
            network=case.network and int(case.network.timestamp()),
            clock_file=str(self._file) if case.settable else None,
        )


def judge(row: Row, case: Case, result: dict, requests: int) -> None:
    """`requests` is how many of them reached the server."""
    ended = (result["code"], result["error"], result["escaped"])
    expected = ("77777", case.error, None) if case.error else ("00000", None, None)
    row.check(ended == expected, f"{case.name}: {result}")
    if case.error and requests:
        row.fail(f"{case.name}: {requests} requests to a server that was refused")
    if (
        not case.error
        and result["secret"] != hostile.config()["device"]["deviceSecret"]
    ):
        row.fail(f"{case.name}: another credential, {result}")


def clocks() -> Row:
    """Each case as a first boot, and then all of them as one board's life."""
    library = preload()
    with timed("wrong clocks") as row, tempfile.TemporaryDirectory() as name:
        if library is None:
            row.note = "SKIPPED: faketime is missing: apt-get install faketime"
            row.bad = int(os.environ.get("CI") == "true")
            return row
        server = Authority(Path(name))
        with hostile.listening(server.handle) as listener:
            bench = Bench(Path(name), server, listener.port, library)
            for case in cases():
                before = len(listener.seen.requests)
                result = bench.live(case, fresh=True)
                judge(row, case, result, len(listener.seen.requests) - before)
            server.ids.clear()
            jumps = [case for case in cases() if case.error] * 2
            ids = set()
            for number, case in enumerate(jumps):
                result = bench.live(case, fresh=not number)
                judge(row, case, result, 0)
                ids.add(result["requestId"])
            right = next(cases())
            judge(row, right, bench.live(right, fresh=False), 2)
            row.check(ids == set(server.ids), f"request ids {ids}, {server.ids}")
            late = right._replace(clock=PAST["1970"])
            judge(row, late, bench.live(late, fresh=False), 0)  # out of the flash
            bench.process.close()
        row.note = "by CA: verified or TLS_DATE; by pin: verified or TLS_PIN"
    return row


def suites(seed: int, short: bool) -> Iterator[Callable[[], Row]]:
    """All of it is short enough for a slice."""
    yield clocks
