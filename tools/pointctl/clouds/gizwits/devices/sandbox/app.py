"""The devices' endpoints of both generations. Bodies are forms, as text."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import structlog
from fastapi import APIRouter, FastAPI, Form, Header, Query, Request
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from point.imei import masked
from pointctl.clouds.gizwits.devices import wire
from pointctl.clouds.gizwits.devices.errors import DeviceRefusal
from pointctl.clouds.gizwits.devices.sandbox.service import DeviceService
from pointctl.clouds.gizwits.devices.wire import SignedHeaders
from pointctl.clouds.gizwits.preauth.names import MAC_OR_IMEI

_LARGEST_BODY = 4096

_log = structlog.get_logger()

_Did = Annotated[str, PathParameter(pattern=wire.AGENT_DID, examples=["Ab3dEf7h"])]
_Product = Annotated[str, PathParameter(pattern=wire.PRODUCT_KEY)]
_Mac = Annotated[str, PathParameter(pattern=MAC_OR_IMEI, examples=["490154203237518"])]
_Method = Annotated[str, Header(alias="X-Sign-Method", max_length=16)]
_Nonce = Annotated[str, Header(alias="X-Sign-Nonce", pattern=wire.NONCE)]
_Token = Annotated[str, Header(alias="X-Sign-Token", max_length=64)]


def add_routes(app: FastAPI, service: DeviceService) -> None:
    """Have an application answer devices."""
    app.include_router(_router(service), max_body_size=_LARGEST_BODY)
    app.exception_handler(DeviceRefusal)(_refuse)


def _router(service: DeviceService) -> APIRouter:
    router = APIRouter(tags=["devices"], default_response_class=PlainTextResponse)

    @router.get("/v2/devices/{did}/bootstrap", summary="Where to log in, by auth_key")
    def bootstrap(did: _Did, method: _Method, nonce: _Nonce, token: _Token) -> str:
        headers = SignedHeaders(method, nonce, token)
        return _log_access(did, lambda: service.bootstrap(did, headers))

    @router.post(
        "/v2/products/{product_key}/devices/{mac}/network",
        summary="The same without a did, which it gives",
    )
    async def network(
        request: Request,
        product_key: _Product,
        mac: _Mac,
        method: _Method,
        nonce: _Nonce,
        token: _Token,
        etag: Annotated[str, Header(alias="X-Sign-ETag", max_length=64)],
    ) -> Response:
        body = await request.body()
        headers = SignedHeaders(method, nonce, token, etag)
        call = partial(service.network, product_key, mac, headers, body)
        answer = await run_in_threadpool(_log_access, masked(mac), call)
        return PlainTextResponse(answer)

    @router.post(
        "/dev/{product_key}/device",
        summary="Register with the older cloud, encrypted",
        status_code=201,
    )
    def register(
        product_key: _Product, data: Annotated[str, Form(pattern=wire.ENCRYPTED)]
    ) -> str:
        return _log_access(product_key, lambda: service.register(product_key, data))

    @router.get("/dev/{product_key}/device", summary="Where to log in there, encrypted")
    def provision(
        product_key: _Product, did: Annotated[str, Query(pattern=wire.ENCRYPTED)]
    ) -> str:
        return _log_access(product_key, lambda: service.provision(product_key, did))

    return router


def _log_access(who: str, call: Callable[[], str]) -> str:
    """Return what the call returns; log who asked, and how it ended."""
    try:
        answer = call()
    except DeviceRefusal as error:
        _log.info("access", imei=who, code=str(error.code), reason=str(error))
        raise
    _log.info("access", imei=who, code="00000")
    return answer


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, DeviceRefusal)
    body = {"error_code": error.code, "error_message": str(error)}
    return JSONResponse({**body, "detail_message": None}, error.status)
