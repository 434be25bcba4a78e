"""The devices' endpoints of both generations, as they come to a sandbox's application.

Bodies are forms, name=value joined by &, as text.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import structlog
from fastapi import APIRouter, FastAPI, Form, Header, Query, Request
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from point.imei import masked
from pointctl.clouds.gizwits.devices.sandbox.cloud import Cloud, Place, Rejected, Signs
from pointctl.clouds.gizwits.preauth.names import MAC_OR_IMEI
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.registry.storage.database import Database

_LARGEST_BODY = 4096

_log = structlog.get_logger()

_Did = Annotated[str, PathParameter(pattern="^[0-9A-Za-z]{8}$", examples=["Ab3dEf7h"])]
_Product = Annotated[str, PathParameter(pattern="^[0-9A-Za-z_-]{1,64}$")]
_Mac = Annotated[str, PathParameter(pattern=MAC_OR_IMEI, examples=["490154203237518"])]
_Hex = "^[0-9A-Fa-f]{32,2048}$"
_Method = Annotated[str, Header(alias="X-Sign-Method", max_length=16)]
_Nonce = Annotated[str, Header(alias="X-Sign-Nonce", pattern="^[0-9A-Za-z]{1,64}$")]
_Token = Annotated[str, Header(alias="X-Sign-Token", max_length=64)]


def add_devices(
    app: FastAPI, database: Database, maker: KeyMaker, place: Place
) -> None:
    """Have an application answer devices, too."""
    app.include_router(
        _router(Cloud(database, maker, place)), max_body_size=_LARGEST_BODY
    )
    app.exception_handler(Rejected)(_rejected)


def _router(cloud: Cloud) -> APIRouter:
    router = APIRouter(tags=["devices"], default_response_class=PlainTextResponse)

    @router.get("/v2/devices/{did}/bootstrap", summary="Where to log in, by auth_key")
    def bootstrap(did: _Did, method: _Method, nonce: _Nonce, token: _Token) -> str:
        return _logged(did, lambda: cloud.bootstrap(did, Signs(method, nonce, token)))

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
        signs = Signs(method, nonce, token, etag)
        call = partial(cloud.network, product_key, mac, signs, body)
        told = await run_in_threadpool(_logged, masked(mac), call)
        return PlainTextResponse(told)

    @router.post(
        "/dev/{product_key}/device",
        summary="Register with the older cloud, encrypted",
        status_code=201,
    )
    def register(
        product_key: _Product, data: Annotated[str, Form(pattern=_Hex)]
    ) -> str:
        return _logged(product_key, lambda: cloud.register(product_key, data))

    @router.get("/dev/{product_key}/device", summary="Where to log in there, encrypted")
    def provision(
        product_key: _Product, did: Annotated[str, Query(pattern=_Hex)]
    ) -> str:
        return _logged(product_key, lambda: cloud.provision(product_key, did))

    return router


def _logged(who: str, call: Callable[[], str]) -> str:
    """What the call says; who asked, and how it ended, is in the log."""
    try:
        told = call()
    except Rejected as error:
        _log.info("access", imei=who, code=str(error.code), reason=str(error))
        raise
    _log.info("access", imei=who, code="00000")
    return told


async def _rejected(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    body = {"error_code": error.code, "error_message": str(error)}
    return JSONResponse({**body, "detail_message": None}, error.status)
