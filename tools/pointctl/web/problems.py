"""Errors as problem details (RFC 9457), for the API and for unknown paths."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from pointctl.errors import PointctlError
from pointctl.web.routing import list_routes

_log = structlog.get_logger()


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="a path into the request")
    what: str


class Problem(BaseModel):
    """Why the request was not done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "the IMEI is not registered",
                }
            ]
        }
    )

    type: str = Field(description="always about:blank: see the status")
    title: str
    status: int
    detail: str | None = Field(None, description="one line for a person")
    errors: list[Mistake] | None = Field(None, description="only with status 422")


def install(
    app: FastAPI,
    routers: Sequence[APIRouter],
    status_of: Callable[[PointctlError], int],
) -> None:
    """Answer every error of the app with a problem, and describe it in OpenAPI.

    `status_of` returns the HTTP status for one of our errors.
    """
    app.state.problem_routers = routers
    app.state.status_of = status_of
    describe = app.openapi

    def with_problem() -> dict[str, Any]:
        page = describe()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        page["components"]["schemas"].update(schema.pop("$defs"), Problem=schema)
        return page

    app.openapi = with_problem  # type: ignore[method-assign]
    app.exception_handler(PointctlError)(_answer_pointctl_error)
    app.exception_handler(HTTPException)(_answer_http_error)
    app.exception_handler(RequestValidationError)(_answer_invalid)
    app.exception_handler(Exception)(_answer_unforeseen)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with, as FastAPI's `responses`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status in statuses
    }


def problem(
    status: int,
    detail: str | None = None,
    headers: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """Create the response for a problem."""
    body: dict[str, Any] = {"type": "about:blank", "status": status}
    body["title"] = HTTPStatus(status).phrase
    if detail is not None:
        body["detail"] = detail
    if errors is not None:
        body["errors"] = errors
    return JSONResponse(body, status, headers, "application/problem+json")


async def _answer_pointctl_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PointctlError)
    status: int = request.app.state.status_of(error)
    if status >= 500:
        _log.error("request failed", exc_info=error)
    return problem(status, str(error))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_list_methods(request)) or headers["Allow"]
    known = error.detail == HTTPStatus(error.status_code).phrase
    return problem(error.status_code, None if known else error.detail, headers)


def _list_methods(request: Request) -> list[str]:
    """Return all methods of a path; the framework knows those of its first route."""
    path = request.url.path
    found: set[str] = set()
    for route in list_routes(request.app.state.problem_routers):
        if route.path_regex.match(path):
            found |= route.methods or set()
    return sorted(found)


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Without the values that were sent: they may be passwords, or not be text.
    errors = [
        {"where": "/".join(map(str, each["loc"])), "what": each["msg"]}
        for each in error.errors()
    ]
    return problem(422, "the request is not valid; see errors", None, errors)


async def _answer_unforeseen(_request: Request, error: Exception) -> Response:
    return problem(500)  # the server logs the exception
