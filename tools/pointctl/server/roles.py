"""Which role a route needs. A route that does not say it stops the server's start."""

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
from pointctl.web.routing import routes

_DECLARED = "x-role"  # in the OpenAPI description, too
_NOBODYS = "none"


@dataclass(frozen=True)
class Registry:
    """What every page and operation works on; an app has it as `state.registry`."""

    database: Database
    counts: FleetCounts
    broker_accounts: BrokerAccounts | None = None


def needs(role: Role) -> dict[str, Any]:
    """A route's `openapi_extra`: only those with this role or a higher one."""
    return {_DECLARED: role.value}


def for_anybody() -> dict[str, Any]:
    """A route's `openapi_extra`: also those who are not known."""
    return {_DECLARED: _NOBODYS}


def needed(route: APIRoute) -> Role | None:
    """The role that a route needs; None: for anybody. Raises where it declares none."""
    declared = (route.openapi_extra or {}).get(_DECLARED)
    if declared is None:
        raise RuntimeError(
            f"{sorted(route.methods or ())} {route.path} declares no role"
        )
    return None if declared == _NOBODYS else Role(declared)


def check_declared(routers: Iterable[APIRouter]) -> None:
    """Raise RuntimeError if any route forgot to say who may use it."""
    for route in routes(routers):
        needed(route)


def check_covered(request: Request, actor: Actor) -> None:
    """Raise a 403 unless the actor may use the route that was asked for."""
    role = needed(request.scope["route"])
    if role is not None and not actor.role.covers(role):
        raise HTTPException(403, f"this needs the role {role.value}")
