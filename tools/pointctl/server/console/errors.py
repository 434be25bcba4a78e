"""Error pages."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from pointctl.errors import PointctlError
from pointctl.server.console.pages import render_page
from pointctl.server.console.session_dependency import NotLoggedIn, login_url
from pointctl.server.statuses import status_of


def install(app: FastAPI) -> None:
    """Answer every error of the app with a page."""
    app.exception_handler(NotLoggedIn)(_redirect_to_login)
    app.exception_handler(PointctlError)(_answer_pointctl_error)
    app.exception_handler(HTTPException)(_answer_http_error)
    app.exception_handler(RequestValidationError)(_answer_invalid)
    app.exception_handler(Exception)(_answer_unforeseen)


async def _redirect_to_login(request: Request, _error: Exception) -> Response:
    url = login_url(request)
    if "HX-Request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": url})
    return RedirectResponse(url, 303)


async def _answer_pointctl_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PointctlError)
    return _error_page(request, status_of(error), str(error))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error_page(request, error.status_code, error.detail)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    names = {str(each["loc"][-1]).replace("_", " ") for each in error.errors()}
    return _error_page(request, 422, f"not valid: {', '.join(sorted(names))}")


async def _answer_unforeseen(request: Request, _error: Exception) -> Response:
    return _error_page(request, 500, "the server failed; its log has the details")


def _error_page(request: Request, status: int, what: str) -> Response:
    title = HTTPStatus(status).phrase
    return render_page(request, "error.html", status, title=title, what=what)
