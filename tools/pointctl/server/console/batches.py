"""Batches: how full they are, and their limits."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from pointctl.errors import PointctlError
from pointctl.registry.devices import batches, products
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Role
from pointctl.server.console.pages import redirect_done, render_page
from pointctl.server.console.session_dependency import (
    ConsoleSession,
    Db,
    session_dependency,
)
from pointctl.server.roles import needs
from pointctl.server.statuses import status_of

router = APIRouter(prefix="/batches", dependencies=[Depends(session_dependency)])
_URL = "/console/batches"
_Word = Annotated[str, Form(max_length=64)]
_MayBeEmpty = Annotated[str, Form(max_length=20)]


@router.get("", openapi_extra=needs(Role.VIEWER))
def list_batches(request: Request, database: Db, done: str = "") -> Response:
    return _page(request, database, done=done)


@router.post("", openapi_extra=needs(Role.OPERATOR))
def add(
    request: Request,
    browser: ConsoleSession,
    database: Db,
    product: _Word,
    name: _Word,
    quota: _MayBeEmpty = "",
    ends: _MayBeEmpty = "",
) -> Response:
    try:
        batches.add(
            database,
            product,
            name.strip(),
            browser.actor.name,
            quota=_parse_quota(quota),
            expires_at=_parse_time(ends),
        )
    except PointctlError as error:
        return _page(request, database, status_of(error), error=str(error))
    return redirect_done(_URL, "added")


@router.post("/{product_key}/{name}", openapi_extra=needs(Role.OPERATOR))
def change(
    request: Request,
    browser: ConsoleSession,
    database: Db,
    product_key: str,
    name: str,
    quota: _MayBeEmpty = "",
    ends: _MayBeEmpty = "",
) -> Response:
    try:
        batches.change(
            database,
            product_key,
            name,
            browser.actor.name,
            quota=_parse_quota(quota),
            expires_at=_parse_time(ends),
        )
    except PointctlError as error:
        return _page(request, database, status_of(error), error=str(error))
    return redirect_done(_URL, "changed")


def _page(
    request: Request,
    database: Database,
    status: int = 200,
    /,
    done: str = "",
    error: str | None = None,
) -> Response:
    return render_page(
        request,
        "batches.html",
        status,
        rows=batches.list_batches(database),
        products=products.list_products(database),
        done=done,
        error=error,
    )


def _parse_quota(text: str) -> int | None:
    if not text.strip():
        return None
    if not (text.strip().isascii() and text.strip().isdecimal()):
        raise PointctlError(f"the quota {text!r} is not a number of devices")
    return int(text)


def _parse_time(text: str) -> datetime | None:
    """Parse a browser's field of date and time, as UTC."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)
    except ValueError:
        raise PointctlError(
            f"the end {text!r} is not a date and time such as 2027-06-30T12:00"
        ) from None
