"""Boards that ask a real server, many at once, over connections that they keep."""

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from point import protocol
from pointctl.registry.keys.claim_keys import ClaimKeys

HOST = "127.0.0.1"
LOST = (OSError, EOFError, asyncio.TimeoutError)  # no whole reply came
_PATH = "/v1/access"
_LIMIT_S = 60  # a board waits no longer for a reply


@dataclass(frozen=True)
class Reply:
    """What a board was answered, as it came."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Board:
    """What a board knows. Without a key it speaks version 1."""

    imei: str
    product: str
    key: bytes | None = field(default=None, repr=False)

    def claim(self, request_id: str) -> dict[str, Any]:
        """Its request under an id."""
        names = {"imei": self.imei, "productKey": self.product}
        if self.key is None:
            return names
        return dict(protocol.claim(names, request_id, self.key))

    def acknowledgement(self, request_id: str) -> dict[str, Any]:
        """That the reply to it is in flash."""
        names = {"imei": self.imei, "productKey": self.product}
        assert self.key is not None
        return dict(protocol.acknowledge(names, request_id, self.key))

    def read(self, reply: Reply, request_id: str) -> tuple[str, str | None]:
        """The code and, if there is one, the deviceSecret, by the board's own reading.

        Raises PointError for what a board would not take for a reply.
        """
        how = (self.key, request_id) if self.key else ()
        code, config, _ = protocol.decode_reply(reply.status, reply.body, *how)
        return code, config["device"]["deviceSecret"] if config else None

    def read_code(self, reply: Reply) -> str:
        """The code alone, as of the reply to an acknowledgement. Raises PointError."""
        code: str = protocol.decode_code(reply.status, reply.body)[0]
        return code


def signing(keys: ClaimKeys, product: str, imei: str) -> Board:
    """A board with the claim key that its factory gave it."""
    return Board(imei, product, keys.derive(product, imei))


class Connection:
    """A verified connection to the server, opened when it is needed."""

    def __init__(self, ca: Path) -> None:
        self._context = ssl.create_default_context(cafile=ca)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self, port: int) -> None:
        """Open it now. Raises what LOST names."""
        self._streams = await asyncio.open_connection(
            HOST, port, ssl=self._context, server_hostname="localhost"
        )

    async def post(self, port: int, message: dict[str, Any]) -> Reply:
        """Ask; after an error the next request opens another. Raises what LOST names"""
        try:
            async with asyncio.timeout(_LIMIT_S):
                if self._streams is None:
                    await self.open(port)
                assert self._streams is not None
                return await _ask(*self._streams, message)
        except LOST:
            await self.close()
            raise

    async def close(self) -> None:
        """Hang up; the server may have done so already."""
        if self._streams is None:
            return
        _, writer = self._streams
        self._streams = None
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: dict[str, Any]
) -> Reply:
    body = json.dumps(message).encode()
    head = f"POST {_PATH} HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return Reply(int(answer.split(b" ", 2)[1]), await reader.readexactly(length))
