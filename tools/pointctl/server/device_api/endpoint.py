"""POST /v1/access: what a board asks, and what it is answered."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter, time
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from point import protocol
from point.errors import PointError
from point.host import protocol_server
from point.imei import masked
from pointctl.registry.devices.refusal_counts import Counted
from pointctl.registry.issuing.issuer import Alone, Answer, Issuer
from pointctl.server import metrics
from pointctl.server.device_api import wire
from pointctl.server.device_api.request_batcher import RequestBatcher
from pointctl.web.body import whole_body

_log = structlog.get_logger()

PATH = "/v1/access"
_AT_ONCE = 64  # requests in one transaction at most
_RETRY_AFTER_S = 30  # when it was our fault; boards add a random share


@dataclass(frozen=True)
class _Reply:
    """A reply, and what the log says of it."""

    code: str
    body: bytes
    event: str = "access"
    imei: str | None = None  # masked
    reason: str | None = None
    skew_s: int | None = None  # how far the board's clock is ahead, if it has one
    product_key: str | None = None  # as the board gave it


Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(issuer: Issuer, refused: Counted) -> Endpoint:
    """Answers boards; what is refused is counted."""
    replies = RequestBatcher(partial(_replies, issuer), _AT_ONCE)

    async def access(request: Request) -> Response:
        started = perf_counter()
        body = await whole_body(request, protocol.MAX_BODY)
        try:
            address = request.client.host if request.client else None
            step = await replies((body, address))
            reply = step if isinstance(step, _Reply) else await run_in_threadpool(step)
        except Exception as error:  # whatever it is, the board can read the reply
            _log.error("access failed", exc_info=error)
            failed = Answer(protocol.INTERNAL, retry_after_s=_RETRY_AFTER_S)
            reply = _Reply(
                failed.code, _encoded(failed, None), reason=type(error).__name__
            )
        seconds = perf_counter() - started
        metrics.answered(reply.code, seconds)
        if reply.code != protocol.SUCCESS:
            refused.add(reply.product_key, reply.code)
        _log.info(
            reply.event,
            imei=reply.imei,
            code=reply.code,
            reason=reply.reason,
            skew_s=reply.skew_s,
            ms=round(seconds * 1000, 1),
        )
        return _response(reply)

    return access


def router(access: Endpoint) -> APIRouter:
    """The endpoint with its documentation."""
    made = APIRouter()
    made.post(
        PATH,
        summary="Give a board its credential",
        responses=wire.responses(),
        response_class=Response,
        openapi_extra={"requestBody": wire.request_body()},
    )(access)
    return made


class BoardsFirst:
    """Boards' requests go straight to their endpoint.

    On the way through the routers and what people and programs need, each would cost
    half as much again.
    """

    def __init__(self, app: ASGIApp, access: Endpoint) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        of_board = scope["type"] == "http" and scope["path"] == PATH
        if of_board and scope["method"] == "POST":
            response = await self._access(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _replies(
    issuer: Issuer, asked: list[tuple[bytes, str | None]]
) -> list[_Reply | Callable[[], _Reply]]:
    """The replies to bodies from addresses; those that take longer are to be called."""
    found = [(_decoded(body), address) for body, address in asked]
    requests = [
        (request, address)
        for request, address in found
        if not isinstance(request, _Reply)
    ]
    steps = iter(issuer.answer_all(requests))
    return [
        request if isinstance(request, _Reply) else _next(request, next(steps))
        for request, _ in found
    ]


def _decoded(body: bytes) -> dict[str, Any] | _Reply:
    """The request, or the reply to what is none."""
    try:
        request: dict[str, Any] = protocol_server.decode_request(body)
    except PointError as error:
        refused = Answer(protocol.BAD_REQUEST)
        return _Reply(refused.code, _encoded(refused, None), reason=error.detail)
    return request


def _next(
    request: dict[str, Any], step: Answer | Alone
) -> _Reply | Callable[[], _Reply]:
    if isinstance(step, Answer):
        return _reply(request, step)
    return lambda: _reply(request, step())


def _reply(request: dict[str, Any], answer: Answer) -> _Reply:
    return _Reply(
        answer.code,
        _encoded(answer, request["requestId"]),
        "acknowledge" if request["ack"] else "access",
        masked(request["imei"]),
        answer.reason,
        request["time"] - int(time()) if request["time"] else None,
        request["productKey"],
    )


def _encoded(answer: Answer, request_id: str | None) -> bytes:
    """The body of a reply; credentials are sealed if there is a key for that."""
    if answer.config is not None and answer.seal_key is not None:
        sealed: bytes = protocol_server.encode_sealed_reply(
            answer.config, answer.seal_key, request_id, os.urandom(16)
        )
        return sealed
    clear: bytes = protocol_server.encode_reply(
        answer.code, answer.config, answer.retry_after_s
    )
    return clear


def _response(reply: _Reply) -> Response:
    # After a bad request the rest of the connection cannot be trusted to be HTTP, or
    # may be a body without an end.
    bad = reply.code == protocol.BAD_REQUEST
    return Response(
        reply.body,
        status_code=protocol_server.http_status(reply.code),
        media_type="application/json",
        headers={"Connection": "close"} if bad else None,
    )
