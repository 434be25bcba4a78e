"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from pointctl.registry.accounts import operators, sessions
from pointctl.registry.storage.models import Role
from pointctl.server.console.pages import page
from pointctl.server.console.session_dependency import (
    COOKIE,
    LOGIN,
    Db,
    check_own_page,
    session_dependency,
)
from pointctl.server.roles import for_anybody, needs

router = APIRouter()
_HOME = "/console/"


@router.get("/login", openapi_extra=for_anybody())
def form(request: Request, database: Db, to: str = _HOME) -> Response:
    anybody = operators.has_active_operator(database)
    return page(request, "login.html", to=_own(to), name="", anybody=anybody)


@router.post("/login", openapi_extra=for_anybody())
def log_in(
    request: Request,
    database: Db,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=operators.MAX_PASSWORD)],
    to: Annotated[str, Form()] = _HOME,
) -> Response:
    check_own_page(request)
    try:
        address = request.client.host if request.client else ""
        cookie = sessions.log_in(database, name, password, address)
    except sessions.WrongPassword as error:
        values = {"to": _own(to), "name": name, "anybody": True, "error": str(error)}
        return page(request, "login.html", 401, **values)
    except sessions.TooManyTries as error:
        values = {"to": _own(to), "name": name, "anybody": True, "error": str(error)}
        refused = page(request, "login.html", 429, **values)
        refused.headers["Retry-After"] = str(error.wait_s)
        return refused
    response = RedirectResponse(_own(to), 303)
    response.set_cookie(
        COOKIE, cookie, secure=True, httponly=True, samesite="strict", path="/"
    )
    return response


@router.post(
    "/logout",
    openapi_extra=needs(Role.VIEWER),
    dependencies=[Depends(session_dependency)],
)
def log_out(request: Request, database: Db) -> Response:
    sessions.log_out(database, request.cookies[COOKIE])
    response = RedirectResponse(LOGIN, 303)
    response.delete_cookie(
        COOKIE, secure=True, httponly=True, samesite="strict", path="/"
    )
    return response


def _own(url: str) -> str:
    """A page of the console, whatever somebody has put into the link."""
    safe = url.startswith(_HOME) and url.isprintable() and "\\" not in url
    return url if safe else _HOME
