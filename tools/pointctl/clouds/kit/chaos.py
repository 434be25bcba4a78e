"""A cloud on a bad day: late, busy, or cut off in the middle of an answer.

At strength 1, two requests of a hundred are answered 503 with Retry-After, and one is
reset, before or after it was done. Each waits up to two seconds.
"""

import asyncio
import random
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_BUSY, _RESET, _DELAY_S = 0.02, 0.01, 2.0  # of strength 1
_RETRY_AFTER_S = 1
_EXTENSION = "pointctl.transport"
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, and no time


@dataclass
class Chaos:
    """How much goes wrong; with a seed the same every time."""

    strength: float
    seed: int | None = None
    delay_s: float = _DELAY_S
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def happens(self, share: float) -> bool:
        """Whether something that happens to this share of requests happens now."""
        return self._random.random() < min(1.0, share * self.strength)

    def next_delay_s(self) -> float:
        """How long this request waits."""
        return self._random.uniform(0, self.delay_s) if self.strength else 0.0


class ChaosMiddleware:
    """Lets chaos happen to the requests of an application."""

    def __init__(self, app: ASGIApp, chaos: Chaos) -> None:
        self._app = app
        self._chaos = chaos

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chaos = self._chaos
        await asyncio.sleep(chaos.next_delay_s())
        if chaos.happens(_BUSY):
            headers = {"Retry-After": str(_RETRY_AFTER_S)}
            busy = JSONResponse({"error_message": "busy"}, 503, headers)
            await busy(scope, receive, send)
        elif chaos.happens(_RESET / 2):
            await _reset(scope, receive)
        elif chaos.happens(_RESET / 2):
            await self._app(scope, receive, _drop)  # it is done all the same
            await _reset(scope, receive)
        else:
            await self._app(scope, receive, send)


async def _drop(_message: Message) -> None:
    """Send nothing of an answer."""


async def _reset(scope: Scope, receive: Receive) -> None:
    transport = scope["extensions"][_EXTENSION]["transport"]
    found = transport.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


class ChaosProtocol(HttpToolsProtocol):
    """Uvicorn's own, which also gives an application the connection of a request."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        known: dict[str, Any] = {_EXTENSION: {"transport": self.transport}}
        self.scope["extensions"] = known
