"""The HTTP face of the registry: POST /v1/access, and a page that documents it."""

from dataclasses import dataclass
from time import perf_counter

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import literal, select
from starlette.requests import ClientDisconnect

from point import __version__, protocol, protocol_server
from point.errors import PointError
from point.imei import masked
from pointctl.registry.access import BrokerAccounts, Issuer
from pointctl.registry.database import Database
from pointctl.registry.devices import UnknownDevice
from pointctl.registry.products import DeviceConfig
from pointctl.server import wire

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Answer:
    code: str
    device_config: DeviceConfig | None = None
    imei: str | None = None  # masked: this and the reason are for the log only
    reason: str | None = None


def create_app(
    database: Database, broker_accounts: BrokerAccounts | None = None
) -> FastAPI:
    """The ASGI application over one registry."""
    issuer = Issuer(database, broker_accounts)
    app = FastAPI(title="PointAccess", version=__version__, redoc_url=None)

    @app.post(
        "/v1/access",
        summary="Give a board its credential",
        responses=wire.responses(),
        response_class=Response,
        openapi_extra={"requestBody": wire.request_body()},
    )
    async def access(request: Request) -> Response:
        started = perf_counter()
        body = await _body(request)
        try:
            answer = await run_in_threadpool(_answer, issuer, body)
        except Exception as error:  # whatever it is, the board can read the reply
            _log.error("access failed", exc_info=error)
            answer = _Answer(protocol.INTERNAL, reason=type(error).__name__)
        _log.info(
            "access",
            imei=answer.imei,
            code=answer.code,
            reason=answer.reason,
            ms=round((perf_counter() - started) * 1000, 1),
        )
        return _response(answer)

    @app.get("/healthz", summary="Tell whether the registry can be read")
    def healthz() -> dict[str, str]:
        with database.reading() as session:
            session.execute(select(literal(1)))
        return {"status": "ok"}

    return app


async def _body(request: Request) -> bytes:
    """The body, cut where it is too long already. One that broke off is empty."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > protocol.MAX_BODY:
                break
    except ClientDisconnect:
        return b""
    return body


def _answer(issuer: Issuer, body: bytes) -> _Answer:
    try:
        request = protocol_server.decode_request(body)
    except PointError as error:
        return _Answer(protocol.BAD_REQUEST, reason=error.detail)
    imei = masked(request["imei"])
    try:
        config = issuer.issue(request["imei"], request["productKey"])
    except UnknownDevice as error:
        return _Answer(protocol.UNKNOWN_IMEI, imei=imei, reason=str(error))
    return _Answer(protocol.SUCCESS, config, imei)


def _response(answer: _Answer) -> Response:
    # After a bad request the rest of the connection cannot be trusted to be HTTP, or
    # may be a body without an end.
    bad = answer.code == protocol.BAD_REQUEST
    return Response(
        protocol_server.encode_reply(answer.code, answer.device_config),
        status_code=protocol_server.http_status(answer.code),
        media_type="application/json",
        headers={"Connection": "close"} if bad else None,
    )
