"""A load generator: boards that keep their connections open and ask one after another.

`python -m bench.load` reads a Job from stdin as JSON and prints a Result. It is a
process of its own, so that its Python runs beside the server's and not in it.
"""

import asyncio
import json
import ssl
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

from point import protocol
from pointctl.registry.keys.claim_keys import ClaimKeys

PATH = "/v1/access"
_SAMPLE = 97  # each so manyth reply is opened, after the clock has stopped


@dataclass(frozen=True)
class Job:
    """What to ask, and over how many connections."""

    port: int
    ca: str  # a PEM file
    connections: int
    imeis: list[str]  # one request for each
    product_key: str
    master: str  # the claim master, hex
    warm_up: int = 0  # so many first requests are not counted
    sealed: bool = True  # whether the replies are real


@dataclass
class Result:
    """Milliseconds of each request, and how often each code was answered."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)


class Boards:
    """The requests, signed before the clock starts, and what came of them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        keys = ClaimKeys(bytes.fromhex(job.master))
        self._keys = [keys.derive(job.product_key, imei) for imei in job.imeis]
        self._requests = iter([(n, self._request(n)) for n in range(len(job.imeis))])
        self._left = len(job.imeis)
        self._warm_up = job.warm_up
        self._samples: list[tuple[int, bytes]] = []
        self.result = Result()
        self.begun = time.perf_counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def next(self) -> tuple[int, bytes] | None:
        """The number of a board and what it sends; None if all have asked."""
        return next(self._requests, None)

    def answered(self, number: int, body: bytes, sent: float) -> None:
        """A board has its reply."""
        now = time.perf_counter()
        if number % _SAMPLE == 0:
            self._samples.append((number, body))
        self._left -= 1
        if self._warm_up:
            self._warm_up -= 1
            self.begun = now
            return
        code = body[10:15].decode()  # {"code": "00000"…
        self.result.codes[code] = self.result.codes.get(code, 0) + 1
        self.result.latencies_ms.append(round((now - sent) * 1000, 2))
        if not self._left:
            self.result.seconds = now - self.begun
            self.done.set_result(None)

    def check(self) -> None:
        """Raise unless the boards could have used what they were sent."""
        for number, body in self._samples if self._job.sealed else ():
            key, name = self._keys[number], self._job.imeis[number]
            code, config, _ = protocol.decode_reply(200, body, key, f"{number:032x}")
            assert code == protocol.SUCCESS
            assert config is not None
            assert config["device"]["deviceName"] == name

    def _request(self, number: int) -> bytes:
        names = {"imei": self._job.imeis[number], "productKey": self._job.product_key}
        now, key = int(time.time()), self._keys[number]
        body = json.dumps(protocol.claim(names, f"{number:032x}", key, now)).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


class Connection(asyncio.Protocol):
    """A connection that one board after the other uses."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        """Send the next request."""
        request = self._boards.next()
        if request is None:
            self._transport.close()
            return
        self._number, message = request
        self._sent = time.perf_counter()
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._got = b""
        self._boards.answered(self._number, body, self._sent)
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if error and not self._boards.done.done():
            self._boards.done.set_exception(error)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])


async def run(job: Job) -> Result:
    """Ask for all; every connection is open before the first request leaves."""
    context = ssl.create_default_context(cafile=job.ca)
    boards = Boards(job)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(
            lambda: Connection(boards),
            "127.0.0.1",
            job.port,
            ssl=context,
            server_hostname="localhost",
        )
        for _ in range(job.connections)
    ]
    boards.begun = time.perf_counter()
    for _, connection in opened:
        connection.ask()
    await boards.done
    boards.check()
    return boards.result


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Job(**json.load(sys.stdin)))))))
