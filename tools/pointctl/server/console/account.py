"""The page on which people change their own password."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from pointctl.errors import PointctlError
from pointctl.registry.accounts import operators
from pointctl.registry.storage.models import Role
from pointctl.server.console.pages import render_page
from pointctl.server.console.session_dependency import LOGIN, ConsoleSession, Db
from pointctl.server.roles import needs
from pointctl.server.statuses import status_of

router = APIRouter()
_Password = Annotated[str, Form(max_length=operators.MAX_PASSWORD)]


@router.get("/account", openapi_extra=needs(Role.VIEWER))
def show(request: Request, _visitor: ConsoleSession) -> Response:
    return _page(request)


@router.post("/account", openapi_extra=needs(Role.VIEWER))
def change(
    request: Request,
    browser: ConsoleSession,
    database: Db,
    present: _Password,
    new: _Password,
    again: _Password,
) -> Response:
    name = browser.actor.name
    if new != again:
        return _page(request, 422, error="the two new passwords differ")
    if not operators.is_password_correct(operators.get(database, name), present):
        return _page(request, 403, error="the present password is wrong")
    try:
        operators.change(database, name, name, password=new)
    except PointctlError as error:
        return _page(request, status_of(error), error=str(error))
    return RedirectResponse(LOGIN, 303)


def _page(request: Request, status: int = 200, error: str | None = None) -> Response:
    shortest = operators.MIN_PASSWORD
    return render_page(request, "account.html", status, error=error, shortest=shortest)
