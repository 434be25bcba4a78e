"""The operators, and their tokens for programs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from pointctl.registry.accounts import operators, tokens
from pointctl.registry.storage.models import Role
from pointctl.server.console.pages import redirect_done, render_page
from pointctl.server.console.session_dependency import (
    ConsoleSession,
    Db,
    session_dependency,
)
from pointctl.server.roles import needs

router = APIRouter(prefix="/operators", dependencies=[Depends(session_dependency)])
_Word = Annotated[str, Form(max_length=64)]


@router.get("", openapi_extra=needs(Role.ADMIN))
def list_operators(request: Request, database: Db, done: str = "") -> Response:
    rows = [operators.summarize(each) for each in operators.list_operators(database)]
    return render_page(
        request,
        "operators.html",
        rows=rows,
        done=done,
        shortest=operators.MIN_PASSWORD,
    )


@router.post("", openapi_extra=needs(Role.ADMIN))
def add(
    browser: ConsoleSession,
    database: Db,
    name: _Word,
    role: Annotated[Role, Form()],
    password: Annotated[str, Form(max_length=operators.MAX_PASSWORD)] = "",
) -> Response:
    operators.add(database, name, role, password or None, browser.actor.name)
    return redirect_done(f"/console/operators/{name}", "added")


@router.get("/{name}", openapi_extra=needs(Role.ADMIN))
def show(request: Request, database: Db, name: str, done: str = "") -> Response:
    return _page(request, database, name, done=done)


@router.post("/{name}/role", openapi_extra=needs(Role.ADMIN))
def set_role(
    browser: ConsoleSession, database: Db, name: str, role: Annotated[Role, Form()]
) -> Response:
    operators.change(database, name, browser.actor.name, role=role)
    return redirect_done(f"/console/operators/{name}", "role")


@router.post("/{name}/password", openapi_extra=needs(Role.ADMIN))
def set_password(
    browser: ConsoleSession,
    database: Db,
    name: str,
    password: Annotated[str, Form(max_length=operators.MAX_PASSWORD)],
) -> Response:
    operators.change(database, name, browser.actor.name, password=password)
    return redirect_done(f"/console/operators/{name}", "password")


@router.post("/{name}/disable", openapi_extra=needs(Role.ADMIN))
def disable(browser: ConsoleSession, database: Db, name: str) -> Response:
    operators.change(database, name, browser.actor.name, disabled=True)
    return redirect_done(f"/console/operators/{name}", "disabled")


@router.post("/{name}/enable", openapi_extra=needs(Role.ADMIN))
def enable(browser: ConsoleSession, database: Db, name: str) -> Response:
    operators.change(database, name, browser.actor.name, disabled=False)
    return redirect_done(f"/console/operators/{name}", "enabled")


@router.post("/{name}/tokens", openapi_extra=needs(Role.ADMIN))
def add_token(
    request: Request,
    browser: ConsoleSession,
    database: Db,
    name: str,
    label: _Word,
    role: Annotated[Role, Form()],
    days: Annotated[int, Form(ge=1, le=3650)] = tokens.DAYS,
) -> Response:
    token = tokens.add(database, name, label, role, days, browser.actor.name)
    return _page(request, database, name, token=token)


@router.post("/{name}/tokens/{label}/revoke", openapi_extra=needs(Role.ADMIN))
def revoke_token(
    browser: ConsoleSession, database: Db, name: str, label: str
) -> Response:
    tokens.revoke(database, name, label, browser.actor.name)
    return redirect_done(f"/console/operators/{name}", "token-revoked")


def _page(
    request: Request,
    database: Db,
    name: str,
    done: str = "",
    token: str | None = None,
) -> Response:
    return render_page(
        request,
        "operator.html",
        operator=operators.summarize(operators.get(database, name)),
        tokens=[tokens.summarize(each) for each in tokens.list_tokens(database, name)],
        done=done,
        token=token,
        days=tokens.DAYS,
        shortest=operators.MIN_PASSWORD,
    )
