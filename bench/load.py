"""A load generator: boards that keep their connections open and ask one after another.

`python -m bench.load` reads one JSON object from stdin, a line per field of Job, and
prints one for Result. It is a process of its own, so that its Python runs beside the
server's and not in it.
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
from pointctl.registry.keys import ClaimKeys


@dataclass(frozen=True)
class Job:
    """What to ask, and over how many connections."""

    port: int
    ca: str  # a PEM file
    connections: int
    imeis: list[str]
    product_key: str
    path: str = "/v1/access"
    master: str = ""  # the claim master, hex; without it requests are unsigned
    warm_up: int = 0  # so many first requests are not counted


@dataclass
class Result:
    """Milliseconds of each request, and what went wrong."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)


def requests(job: Job) -> list[bytes]:
    """The HTTP requests, signed before the clock starts."""
    keys = ClaimKeys(bytes.fromhex(job.master)) if job.master else None
    made = []
    for number, imei in enumerate(job.imeis):
        message = {"imei": imei, "productKey": job.product_key}
        if keys is not None:
            key = keys.derive(job.product_key, imei)
            message = protocol.claim(message, f"{number:032x}", key, int(time.time()))
        body = json.dumps(message).encode()
        head = (
            f"POST {job.path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class Boards:
    """What the connections share: the requests that are left, and the result."""

    def __init__(self, todo: list[bytes], warm_up: int) -> None:
        self.todo = iter(todo)
        self.left = len(todo)
        self.warm_up = warm_up
        self.result = Result()
        self.begun = time.perf_counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def count(self, code: str, sent: float) -> None:
        """A reply has come."""
        now = time.perf_counter()
        self.left -= 1
        if self.warm_up:
            self.warm_up -= 1
            self.begun = now
            return
        self.result.latencies_ms.append(round((now - sent) * 1000, 2))
        self.result.codes[code] = self.result.codes.get(code, 0) + 1
        if not self.left:
            self.result.seconds = now - self.begun
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    """One board after the other over one connection that is kept open."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        request = next(self._boards.todo, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        self._got = b""
        code = body[10:15] if b'"sealed"' in body or body[-8:-7] == b'"' else body
        self._boards.count(code.decode(), self._sent)
        self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        if self._boards.left and error and not self._boards.done.done():
            self._boards.done.set_exception(error)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def run(job: Job) -> Result:
    """Send all; every connection is open before the first request leaves."""
    context = ssl.create_default_context(cafile=job.ca)
    boards = Boards(requests(job), job.warm_up)
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
        connection.send_next()
    await boards.done
    return boards.result


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Job(**json.load(sys.stdin)))))))
