"""POST /v1/access: what a board asks, and what it is answered."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter, time

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from point import protocol
from point.errors import PointError
from point.host import protocol_server
from point.imei import masked
from pointctl.registry.devices.refusal_counts import RefusalCounter
from pointctl.registry.issuing.board_requests import (
    Acknowledgement,
    BoardRequest,
    board_request,
)
from pointctl.registry.issuing.issuer import Issuer
from pointctl.registry.issuing.outcomes import (
    CredentialIssued,
    Deferred,
    FinalOutcome,
    RequestRefused,
)
from pointctl.server import metrics
from pointctl.server.device_api import wire
from pointctl.server.device_api.request_batcher import RequestBatcher
from pointctl.web.body import read_body

_log = structlog.get_logger()

PATH = "/v1/access"
_BATCH_MAX = 64  # requests in one transaction
_RETRY_AFTER_S = 30  # after a failure of the server; boards add a random share


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


@dataclass(frozen=True)
class _Message:
    """What a board sent."""

    body: bytes
    address: str | None


Endpoint = Callable[[Request], Awaitable[Response]]


def make_endpoint(issuer: Issuer, counter: RefusalCounter) -> Endpoint:
    """The endpoint for boards; it counts what it refuses."""
    reply_together = RequestBatcher(partial(_reply_together, issuer), _BATCH_MAX)

    async def access(request: Request) -> Response:
        started = perf_counter()
        body = await read_body(request, protocol.MAX_BODY)
        address = request.client.host if request.client else None
        try:
            reply = await reply_together(_Message(body, address))
            if isinstance(reply, Deferred):
                reply = await run_in_threadpool(_finish, issuer, reply)
        except Exception as error:  # whatever it is, the board can read the reply
            _log.error("access failed", exc_info=error)
            reason = type(error).__name__
            reply = _refusal(protocol.INTERNAL, reason, _RETRY_AFTER_S)
        seconds = perf_counter() - started
        metrics.count_reply(reply.code, seconds)
        if reply.code != protocol.SUCCESS:
            counter.add(reply.product_key, reply.code)
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
    """Sends boards' requests straight to their endpoint.

    The routers and middleware that people and programs need would cost each of them
    half as much again.
    """

    def __init__(self, app: ASGIApp, access: Endpoint) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_board = scope["type"] == "http" and scope["path"] == PATH
        if is_board and scope["method"] == "POST":
            response = await self._access(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _reply_together(
    issuer: Issuer, messages: list[_Message]
) -> list[_Reply | Deferred]:
    """The replies to a batch of messages; those that take longer are deferred.

    Reading and sealing is part of it: what leaves the batch together comes back
    together, and so the next batch is as large.
    """
    replies: dict[int, _Reply | Deferred] = {}
    requests: dict[int, BoardRequest] = {}
    for place, message in enumerate(messages):
        try:
            decoded = protocol_server.decode_request(message.body)
            requests[place] = board_request(decoded, message.address)
        except PointError as error:
            replies[place] = _refusal(protocol.BAD_REQUEST, error.detail)
    outcomes = issuer.answer_together(list(requests.values()))
    for (place, request), outcome in zip(requests.items(), outcomes, strict=True):
        if isinstance(outcome, Deferred):
            replies[place] = outcome
        else:
            replies[place] = _reply(request, outcome)
    return [replies[place] for place in range(len(messages))]


def _finish(issuer: Issuer, deferred: Deferred) -> _Reply:
    return _reply(deferred.request, issuer.finish(deferred))


def _refusal(code: str, reason: str, retry_after_s: int | None = None) -> _Reply:
    """The reply to what could not be read, or failed."""
    body = protocol_server.encode_reply(code, None, retry_after_s)
    return _Reply(code, body, reason=reason)


def _reply(request: BoardRequest, outcome: FinalOutcome) -> _Reply:
    reason = outcome.reason if isinstance(outcome, RequestRefused) else None
    return _Reply(
        outcome.code,
        _encode(request, outcome),
        "acknowledge" if isinstance(request, Acknowledgement) else "access",
        masked(request.imei),
        reason,
        request.time_s - int(time()) if request.time_s else None,
        request.product_key,
    )


def _encode(request: BoardRequest, outcome: FinalOutcome) -> bytes:
    """The body of a reply; a credential is sealed if there is a key for that."""
    config = retry_after_s = None
    if isinstance(outcome, CredentialIssued):
        config = outcome.config
        if outcome.seal_key is not None:
            return protocol_server.encode_sealed_reply(
                config, outcome.seal_key, request.request_id, os.urandom(16)
            )
    elif isinstance(outcome, RequestRefused):
        retry_after_s = outcome.retry_after_s
    return protocol_server.encode_reply(outcome.code, config, retry_after_s)


def _response(reply: _Reply) -> Response:
    # After a bad request the rest of the connection cannot be trusted to be HTTP, or
    # may be a body without an end.
    is_bad = reply.code == protocol.BAD_REQUEST
    return Response(
        reply.body,
        status_code=protocol_server.http_status(reply.code),
        media_type="application/json",
        headers={"Connection": "close"} if is_bad else None,
    )
