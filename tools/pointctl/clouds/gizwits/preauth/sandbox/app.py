"""The four endpoints of device authorisation, and the results to fetch."""

from contextlib import ExitStack
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, FastAPI, File, Form, Header, Query, Request, UploadFile
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from pointctl.clouds.gizwits.preauth import errors, lists, wire
from pointctl.clouds.gizwits.preauth.names import HEX_32, NAME
from pointctl.clouds.gizwits.preauth.sandbox import batches
from pointctl.clouds.gizwits.preauth.sandbox.keys import KeyMaker
from pointctl.clouds.gizwits.preauth.sandbox.service import PreauthService
from pointctl.clouds.kit.database import SandboxDatabase
from pointctl.errors import PointctlError

_LARGEST_BODY = lists.MOST_BYTES + (1 << 16)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_log = structlog.get_logger()

Authorization = Annotated[
    str | None, Header(description="as it was given out, without a scheme")
]
BatchId = Annotated[str, PathParameter(pattern=HEX_32, examples=[wire.JOB])]
Name = Annotated[str, Form(pattern=NAME)]


def add_routes(app: FastAPI, database: SandboxDatabase, maker: KeyMaker) -> None:
    """Have an application answer for device authorisation, and answer all errors."""
    app.include_router(
        _router(database, maker), max_body_size=_LARGEST_BODY, responses=_RESPONSES
    )
    app.exception_handler(PointctlError)(_answer_pointctl_error)
    app.exception_handler(RequestValidationError)(_answer_invalid)
    app.exception_handler(HTTPException)(_answer_http_error)
    app.exception_handler(Exception)(_answer_unforeseen)


def _router(database: SandboxDatabase, maker: KeyMaker) -> APIRouter:
    router = APIRouter(tags=["v2"])
    service = PreauthService(database, maker)

    @router.post("/v2/gagent", summary="Get the auth_key of a device")
    def gagent(
        asked: wire.KeyRequest, authorization: Authorization = None
    ) -> wire.AuthKey:
        return service.issue_key(authorization, asked)

    @router.post("/v2/gagent/batch", summary="Get the auth_keys of a list")
    def batch(
        pin: Name,
        auth_code: Name,
        batch_file: Annotated[UploadFile, File(description="one MAC or IMEI a line")],
        authorization: Authorization = None,
    ) -> wire.BatchMade:
        service.check_may_issue(authorization, pin)  # a workbook is work to read
        try:
            devices = lists.read_list(batch_file.file.read())
        except lists.BadList as error:
            raise errors.FileInvalid(str(error)) from None
        return wire.BatchMade(
            id=service.take_batch(authorization, pin, auth_code, devices)
        )

    @router.get("/v2/gagent/batch/{id}", summary="See how far a list has come")
    def result(
        id: BatchId, request: Request, authorization: Authorization = None
    ) -> wire.BatchResult:
        return batches.read_result(database, authorization, id, request.url.netloc)

    @router.get(
        "/{id}.xlsx",
        summary="Fetch the auth_keys of a list",
        response_class=Response,
        responses={200: {"content": {_XLSX: {}}, "description": "A workbook"}},
    )
    def sheet(id: BatchId, authorization: Authorization = None) -> FileResponse:
        with ExitStack() as stack:
            path = stack.enter_context(
                batches.open_sheet(database, maker, authorization, id)
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
        page = service.list_packages(authorization, pin, auth_code, skip, limit)
        _link_neighbours(page, pin, auth_code)
        return page

    return router


def _link_neighbours(page: wire.Packages, pin: str, auth_code: str) -> None:
    """Put the addresses of the pages before and after it into a page."""
    meta = page.meta
    link = f"/v2/package?pin={pin}&auth_code={auth_code}&limit={meta.limit}&skip="
    if meta.skip + meta.limit < meta.total:
        meta.next = f"{link}{meta.skip + meta.limit}"
    if meta.skip > 0:
        meta.previous = f"{link}{max(0, meta.skip - meta.limit)}"


def _describe_errors(status: int) -> dict[str, Any]:
    """An error's response, with each of the sixteen of this status as an example."""
    examples = {
        kind.name: {
            "value": {"error_code": kind.code, "error_message": kind.name},
            "summary": kind.text,
        }
        for kind in errors.PreauthRefusal.by_code.values()
        if kind.status == status
    }
    return {
        "model": wire.ErrorBody,
        "description": "One of the sixteen",
        "content": {"application/json": {"examples": examples}},
    }


_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: _describe_errors(status) for status in (400, 403, 404, 500)
}
_RESPONSES[503] = {"model": wire.ErrorBody, "description": "Not now; see Retry-After"}


def _answer(error: errors.PreauthRefusal) -> Response:
    body = {"error_code": error.code, "error_message": error.name}
    body["detail_message"] = error.detail or error.text
    assert error.status is not None
    return JSONResponse(body, error.status)


async def _answer_pointctl_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, errors.PreauthRefusal):
        return _answer(error)
    _log.error("request failed", exc_info=error)
    return _answer(errors.SystemFailure())


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # The member that is wrong, not its value: that may be an auth_code.
    where = {str(each["loc"][-1]) for each in error.errors() if each["loc"]}
    names = where & {*wire.KeyRequest.model_fields, "batch_file", "id", "skip", "limit"}
    return _answer(errors.DataInvalid(", ".join(sorted(names))))


async def _answer_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (400, 413):  # a body that is malformed or too large
        return _answer(errors.DataInvalid())
    body = {"error_code": None, "error_message": error.detail}
    return JSONResponse(body, error.status_code, error.headers)


async def _answer_unforeseen(_request: Request, _error: Exception) -> Response:
    return _answer(errors.SystemFailure())  # the server logs what it was
