"""The four endpoints, and the results to fetch, as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, FastAPI, File, Form, Header, Query, Request, UploadFile
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from point import __version__
from pointctl.clouds.gizwits.devices.sandbox.app import add_devices
from pointctl.clouds.gizwits.devices.sandbox.cloud import Place
from pointctl.clouds.gizwits.preauth import errors, lists, wire
from pointctl.clouds.gizwits.preauth.names import HEX_32, NAME
from pointctl.clouds.gizwits.preauth.sandbox import batches
from pointctl.clouds.gizwits.preauth.sandbox.cloud import Cloud
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.kit.chaos import Chaos, Chaotic
from pointctl.errors import PointctlError
from pointctl.registry.storage.database import Database
from pointctl.web import docs_page, tls
from pointctl.web.headers import SafeHeaders

_LARGEST_BODY = lists.MOST_BYTES + (1 << 16)
_LOOK_EVERY_S = 0.25
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_log = structlog.get_logger()

Authorization = Annotated[
    str | None, Header(description="as it was given out, without a scheme")
]
BatchId = Annotated[str, PathParameter(pattern=HEX_32, examples=[wire.JOB])]
Name = Annotated[str, Form(pattern=NAME)]


def create_app(
    database: Database,
    maker: KeyMaker,
    chaos: Chaos | None = None,
    certificate: tls.Certificate | None = None,
    place: Place | None = None,
) -> FastAPI:
    """The application over one registry; it works on batches while it runs.

    Devices that ask where to log in by MQTT are told `place`; without, nobody is.
    """

    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_work(database, maker))
        try:
            async with tls.watch(certificate):
                yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app = FastAPI(
        title="Gizwits device authorisation: a sandbox",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=running,
    )
    app.add_middleware(SafeHeaders)
    if chaos is not None:
        app.add_middleware(Chaotic, chaos=chaos)
    app.include_router(
        _router(database, maker), max_body_size=_LARGEST_BODY, responses=_RESPONSES
    )
    if place is not None:
        add_devices(app, database, maker, place)
    app.include_router(docs_page.router)
    app.exception_handler(PointctlError)(_ours)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_unforeseen)
    _say_400_for_422(app)
    return app


async def _work(database: Database, maker: KeyMaker) -> None:
    """Work on batches, one part after another; the database says what is to do."""
    while True:
        try:
            did = await run_in_threadpool(batches.work, database, maker)
        except PointctlError as error:  # a database that is away comes back
            _log.error("batches wait", exc_info=error)
            did = False
        if not did:
            await asyncio.sleep(_LOOK_EVERY_S)


def _router(database: Database, maker: KeyMaker) -> APIRouter:
    router = APIRouter(tags=["v2"])
    cloud = Cloud(database, maker)

    @router.post("/v2/gagent", summary="Get the auth_key of a device")
    def gagent(
        asked: wire.KeyRequest, authorization: Authorization = None
    ) -> wire.AuthKey:
        return cloud.key(authorization, asked)

    @router.post("/v2/gagent/batch", summary="Get the auth_keys of a list")
    def batch(
        pin: Name,
        auth_code: Name,
        batch_file: Annotated[UploadFile, File(description="one MAC or IMEI a line")],
        authorization: Authorization = None,
    ) -> wire.BatchMade:
        cloud.check_may_issue(authorization, pin)  # a workbook is work to read
        try:
            devices = lists.read(batch_file.file.read())
        except lists.BadList as error:
            raise errors.FileInvalid(str(error)) from None
        return wire.BatchMade(
            id=cloud.take_batch(authorization, pin, auth_code, devices)
        )

    @router.get("/v2/gagent/batch/{id}", summary="See how far a list has come")
    def result(
        id: BatchId, request: Request, authorization: Authorization = None
    ) -> wire.BatchResult:
        return batches.result(database, authorization, id, request.url.netloc)

    @router.get(
        "/{id}.xlsx",
        summary="Fetch the auth_keys of a list",
        response_class=Response,
        responses={200: {"content": {_XLSX: {}}, "description": "A workbook"}},
    )
    def sheet(id: BatchId, authorization: Authorization = None) -> FileResponse:
        with ExitStack() as stack:
            path = stack.enter_context(
                batches.sheet(database, maker, authorization, id)
            )
            kept = stack.pop_all()
        sent = BackgroundTask(kept.close)
        return FileResponse(path, media_type=_XLSX, background=sent)

    @router.get("/v2/package", summary="See how many keys are left")
    def package(
        pin: Annotated[str, Query(pattern=NAME, examples=[wire.PIN])],
        auth_code: Annotated[str, Query(pattern=NAME, examples=[wire.AUTH_CODE])],
        skip: Annotated[int, Query(ge=0, lt=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        authorization: Authorization = None,
    ) -> wire.Packages:
        page = cloud.packages(authorization, pin, auth_code, skip, limit)
        return _with_neighbours(page, pin, auth_code)

    return router


def _with_neighbours(page: wire.Packages, pin: str, auth_code: str) -> wire.Packages:
    meta = page.meta
    link = f"/v2/package?pin={pin}&auth_code={auth_code}&limit={meta.limit}&skip="
    if meta.skip + meta.limit < meta.total:
        meta.next = f"{link}{meta.skip + meta.limit}"
    if meta.skip > 0:
        meta.previous = f"{link}{max(0, meta.skip - meta.limit)}"
    return page


def _described(status: int) -> dict[str, Any]:
    """An error's response, with each of the sixteen of this status as an example."""
    examples = {
        kind.name: {
            "value": {"error_code": kind.code, "error_message": kind.name},
            "summary": kind.text,
        }
        for kind in errors.Refusal.by_code.values()
        if kind.status == status
    }
    return {
        "model": wire.Error,
        "description": "One of the sixteen",
        "content": {"application/json": {"examples": examples}},
    }


_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: _described(status) for status in (400, 403, 404, 500)
}
_RESPONSES[503] = {"model": wire.Error, "description": "Not now; see Retry-After"}


def _answer(error: errors.Refusal) -> Response:
    body = {"error_code": error.code, "error_message": error.name}
    body["detail_message"] = error.detail or error.text
    assert error.status is not None
    return JSONResponse(body, error.status)


async def _ours(_request: Request, error: Exception) -> Response:
    if isinstance(error, errors.Refusal):
        return _answer(error)
    _log.error("request failed", exc_info=error)
    return _answer(errors.SystemFailure())


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where, not what: it may be a code.
    where = {str(each["loc"][-1]) for each in error.errors() if each["loc"]}
    names = where & {*wire.KeyRequest.model_fields, "batch_file", "id", "skip", "limit"}
    return _answer(errors.DataInvalid(", ".join(sorted(names))))


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (400, 413):  # a body that is none, or has no end
        return _answer(errors.DataInvalid())
    body = {"error_code": None, "error_message": error.detail}
    return JSONResponse(body, error.status_code, error.headers)


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    return _answer(errors.SystemFailure())  # the server logs what it was


def _say_400_for_422(app: FastAPI) -> None:
    """The framework describes a status that this API does not have."""
    describe = app.openapi

    def without() -> dict[str, Any]:
        page = describe()
        for path in page["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            page["components"]["schemas"].pop(name, None)
        return page

    app.openapi = without  # type: ignore[method-assign]
