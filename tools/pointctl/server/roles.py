"""The role that each route needs. The server does not start if a route has none."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.routing import APIRoute

from pointctl.registry.accounts.operators import Actor
from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices.overview import FleetCounts
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Role
from pointctl.web.routing import list_routes

_DECLARED = "x-role"  # also a member of the OpenAPI description
_NO_ROLE = "none"


@dataclass(frozen=True)
class Registry:
    """What pages and operations work on; an app has it as `state.registry`."""

    database: Database
    counts: FleetCounts
    broker_accounts: BrokerAccounts | None = None


def needs(role: Role) -> dict[str, Any]:
    """Return a route's `openapi_extra`: callers need this role or a higher one."""
    return {_DECLARED: role.value}


def needs_no_role() -> dict[str, Any]:
    """Return a route's `openapi_extra`: anybody may call it, without logging in."""
    return {_DECLARED: _NO_ROLE}


def required_role(route: APIRoute) -> Role | None:
    """Return the role that a route needs; None if anybody may call it.

    Raises RuntimeError for a route that declares nothing.
    """
    declared = (route.openapi_extra or {}).get(_DECLARED)
    if declared is None:
        raise RuntimeError(
            f"{sorted(route.methods or ())} {route.path} declares no role"
        )
    return None if declared == _NO_ROLE else Role(declared)


def check_roles_declared(routers: Iterable[APIRouter]) -> None:
    """Raise RuntimeError unless every route declares who may call it."""
    for route in list_routes(routers):
        required_role(route)


def check_role(request: Request, actor: Actor) -> None:
    """Raise a 403 unless the actor may call the route of this request."""
    role = required_role(request.scope["route"])
    if role is not None and not actor.role.covers(role):
        raise HTTPException(
            403, f"this needs the role {role.value}; yours is {actor.role.value}"
        )
