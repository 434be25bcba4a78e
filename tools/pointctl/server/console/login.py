"""Log in and log out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from pointctl.registry.accounts import operators, sessions
from pointctl.registry.storage.models import Role
from pointctl.server.console.pages import render_page
from pointctl.server.console.session_dependency import (
    COOKIE,
    LOGIN,
    Db,
    check_same_site,
    session_dependency,
)
from pointctl.server.roles import needs, needs_no_role

router = APIRouter()
_HOME = "/console/"


@router.get("/login", openapi_extra=needs_no_role())
def form(request: Request, database: Db, to: str = _HOME) -> Response:
    anybody = operators.has_active_operator(database)
    return render_page(
        request, "login.html", to=_own_page(to), name="", anybody=anybody
    )


@router.post("/login", openapi_extra=needs_no_role())
def log_in(
    request: Request,
    database: Db,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=operators.MAX_PASSWORD)],
    to: Annotated[str, Form()] = _HOME,
) -> Response:
    check_same_site(request)
    try:
        address = request.client.host if request.client else ""
        cookie = sessions.log_in(database, name, password, address)
    except sessions.WrongPassword as error:
        values = {
            "to": _own_page(to),
            "name": name,
            "anybody": True,
            "error": str(error),
        }
        return render_page(request, "login.html", 401, **values)
    except sessions.TooManyTries as error:
        values = {
            "to": _own_page(to),
            "name": name,
            "anybody": True,
            "error": str(error),
        }
        refused = render_page(request, "login.html", 429, **values)
        refused.headers["Retry-After"] = str(error.wait_s)
        return refused
    response = RedirectResponse(_own_page(to), 303)
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


def _own_page(url: str) -> str:
    """Return the URL if it is a page of the console, else the overview's.

    The URL comes from a link, which anybody can write.
    """
    safe = url.startswith(_HOME) and url.isprintable() and "\\" not in url
    return url if safe else _HOME
