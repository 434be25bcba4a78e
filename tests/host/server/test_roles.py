"""Every route by every role, as the routers themselves tell them."""

import re

import pytest
from fastapi import APIRouter

from pointctl.registry.accounts import operators, tokens
from pointctl.registry.devices import batches
from pointctl.registry.storage.models import Role
from pointctl.server import api, console
from pointctl.server.roles import (
    check_roles_declared,
    needs,
    needs_no_role,
    required_role,
)
from pointctl.web.routing import list_routes
from tests.host.serving import PRODUCT, imei
from tests.host.staff import hire

RANKS = (None, *Role)
API = [
    (route, method)
    for route in list_routes(api.ROUTERS)
    for method in sorted(route.methods or ())
]
CONSOLE = [
    (route, method)
    for route in list_routes(console.ROUTERS)
    for method in sorted(route.methods or ())
]
VALUES = {
    "product_key": PRODUCT,
    "imei": imei(1),
    "name": "victim",
    "label": "old",
    "span": "day",
}


@pytest.fixture
def staff(database, monkeypatch):
    """Operators of each role, and somebody to do things to."""
    staff = hire(database, monkeypatch)
    operators.add(database, "victim", Role.VIEWER, None, "test")
    tokens.add(database, "victim", "old", Role.VIEWER, 1, "test")
    batches.add(database, PRODUCT, "victim", "test")
    return staff


def path_of(route):
    """Its path with values that exist."""
    return re.sub(r"{(\w+)}", lambda match: VALUES[match[1]], route.path)


def allowed(status, role, wanted):
    """Whether a status is right for a role at a route that wants another."""
    if role is None:
        return status == 401
    if not role.covers(wanted):
        return status == 403
    return status in (200, 201, 204, 409, 422)


@pytest.mark.parametrize("role", RANKS, ids=str)
def test_the_api(staff, role):
    """401 without a token, 403 with too low a role, and else neither."""
    client = staff.program(role) if role else staff.stranger()
    wrong = {}
    for route, method in API:
        status = client.request(method, path_of(route)).status_code
        if not allowed(status, role, required_role(route)):
            wrong[f"{method} {route.path}"] = status
    assert wrong == {}


@pytest.mark.parametrize("role", Role, ids=str)
def test_the_console(staff, role):
    """Those with too low a role are told so."""
    wrong = {}
    for route, method in CONSOLE:
        client, csrf = staff.browser(role)  # the last one may be logged out by now
        data = {"csrf": csrf} if method == "POST" else None
        reply = client.request(method, "/console" + path_of(route), data=data)
        wanted = required_role(route)
        forbidden = wanted is not None and not role.covers(wanted)
        rightly = (403,) if forbidden else (200, 303, 404, 409, 422)
        if reply.status_code not in rightly:
            wrong[f"{method} {route.path}"] = reply.status_code
    assert wrong == {}


def test_strangers_are_sent_to_log_in(staff):
    """From every page but those that they need for it, and from every form."""
    client = staff.stranger()
    for route, method in CONSOLE:
        reply = client.request(method, "/console" + path_of(route))
        if required_role(route) is not None:
            assert reply.status_code == 303
            assert reply.headers["location"].startswith("/console/login")


def test_forms_of_the_console_hold_its_word(staff):
    """Without it, and with another's, nothing is done; nor from another site."""
    client, csrf = staff.browser(Role.ADMIN)
    _, others = staff.browser(Role.ADMIN)
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    wrong = []
    for route, method in CONSOLE:
        if method == "GET":
            continue
        path = "/console" + path_of(route)
        tries = [{}, {"csrf": others}, {"csrf": ""}] if required_role(route) else []
        replies = [client.request(method, path, data=data) for data in tries]
        data = {"csrf": csrf, "name": "admin", "password": "x"}
        replies.append(client.request(method, path, data=data, headers=elsewhere))
        if any(reply.status_code != 403 for reply in replies):
            wrong.append(route.path)
    assert wrong == []


def test_only_what_has_to_be_is_for_anybody():
    """The log-in, and what it looks like."""
    open_ = {route.path for route, _ in CONSOLE if required_role(route) is None}
    assert open_ == {"/login", "/static/{name}"}


def test_a_route_that_says_nothing_stops_the_start():
    """And so does one that could not be checked."""

    def nothing():
        """A page."""

    good, silent, foreign = APIRouter(), APIRouter(), APIRouter()
    good.add_api_route("/a", nothing, openapi_extra=needs(Role.VIEWER))
    good.add_api_route("/b", nothing, openapi_extra=needs_no_role())
    check_roles_declared([good])
    silent.add_api_route("/c", nothing)
    with pytest.raises(RuntimeError, match=r"\['GET'\] /c declares no role"):
        check_roles_declared([good, silent])
    foreign.include_router(good)
    with pytest.raises(RuntimeError, match="cannot declare a role"):
        check_roles_declared([foreign])
