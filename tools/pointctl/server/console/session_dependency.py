"""The dependencies of the console's pages: the session and the registry."""

import hmac
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from pointctl.registry.accounts import sessions
from pointctl.registry.accounts.sessions import Browser
from pointctl.registry.storage.database import Database
from pointctl.server.roles import Registry, check_role

# With this prefix, browsers accept the cookie only over HTTPS and for this host.
COOKIE = "__Host-pointctl"
LOGIN = "/console/login"


class NotLoggedIn(Exception):
    """The page needs a session; errors.py redirects to the log-in page."""


def _registry(request: Request) -> Registry:
    registry: Registry = request.app.state.registry
    return registry


def _database(request: Request) -> Database:
    return _registry(request).database


async def session_dependency(request: Request) -> Browser:
    """Return the session that may make this request. Raises NotLoggedIn, or a 403."""
    cookie = request.cookies.get(COOKIE, "")
    is_automatic = request.headers.get("HX-Trigger") == "live"
    browser = await run_in_threadpool(
        sessions.find, _database(request), cookie, in_use=not is_automatic
    )
    if browser is None:
        raise NotLoggedIn
    check_role(request, browser.actor)
    request.state.browser = browser
    if request.method != "GET":
        check_same_site(request)
        form = await request.form()
        token = form.get("csrf")
        if not isinstance(token, str) or not hmac.compare_digest(
            token.encode(), browser.csrf.encode()
        ):
            raise HTTPException(403, "this form is out of date; load the page again")
    return browser


def check_same_site(request: Request) -> None:
    """Raise a 403 for a form from another site, which browsers report in a header."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in (
        "same-origin",
        "none",
    ):
        raise HTTPException(403, "this form came from another site")


def login_url(request: Request) -> str:
    """Return the URL of the log-in page, with the page to return to."""
    if request.method != "GET":
        return LOGIN
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{LOGIN}?to={quote(request.url.path + query, safe='')}"


ConsoleSession = Annotated[Browser, Depends(session_dependency)]
Db = Annotated[Database, Depends(_database)]
Reg = Annotated[Registry, Depends(_registry)]
