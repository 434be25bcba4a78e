"""Who looks at the console: the one dependency of its pages, and what they work on."""

import hmac
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from pointctl.registry.accounts import sessions
from pointctl.registry.accounts.sessions import Browser
from pointctl.registry.storage.database import Database
from pointctl.server.roles import Registry, check_covered

# A browser takes the prefix only from https, for the whole host, and from this host.
COOKIE = "__Host-pointctl"
LOGIN = "/console/login"


class NotLoggedIn(Exception):
    """The page is for those who are known: errors.py sends them to log in."""


def _registry(request: Request) -> Registry:
    registry: Registry = request.app.state.registry
    return registry


def _database(request: Request) -> Database:
    return _registry(request).database


async def session_dependency(request: Request) -> Browser:
    """Who is logged in, and may do this. Raises NotLoggedIn, or a 403."""
    cookie = request.cookies.get(COOKIE, "")
    by_itself = request.headers.get("HX-Trigger") == "live"
    browser = await run_in_threadpool(
        sessions.find, _database(request), cookie, in_use=not by_itself
    )
    if browser is None:
        raise NotLoggedIn
    check_covered(request, browser.actor)
    request.state.browser = browser
    if request.method != "GET":
        check_own_page(request)
        form = await request.form()
        word = form.get("csrf")
        if not isinstance(word, str) or not hmac.compare_digest(
            word.encode(), browser.csrf.encode()
        ):
            raise HTTPException(403, "this form is out of date; load the page again")
    return browser


def check_own_page(request: Request) -> None:
    """Raise a 403 for a form that another site sent; browsers say so."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in (
        "same-origin",
        "none",
    ):
        raise HTTPException(403, "this form came from another site")


def login_url(request: Request) -> str:
    """The log-in page, and from there back to the page that was asked for."""
    if request.method != "GET":
        return LOGIN
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{LOGIN}?to={quote(request.url.path + query, safe='')}"


ConsoleSession = Annotated[Browser, Depends(session_dependency)]
Db = Annotated[Database, Depends(_database)]
Reg = Annotated[Registry, Depends(_registry)]
