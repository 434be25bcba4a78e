"""Who calls the API: the one dependency of its routes, and what they work on."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pointctl.registry.accounts import tokens
from pointctl.registry.accounts.operators import Actor
from pointctl.registry.storage.database import Database
from pointctl.server.roles import Registry, check_covered

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="Made by `pointctl operators token add`, or in the console.",
)


def _registry(request: Request) -> Registry:
    registry: Registry = request.app.state.registry
    return registry


def _database(request: Request) -> Database:
    return _registry(request).database


def caller(
    request: Request,
    shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Actor:
    """Whose token was shown. Raises a 401, or a 403 where the role is too low."""
    actor = tokens.find_holder(_database(request), shown.credentials) if shown else None
    if actor is None:
        raise HTTPException(
            401, "show a valid token", headers={"WWW-Authenticate": "Bearer"}
        )
    check_covered(request, actor)
    return actor


Caller = Annotated[Actor, Depends(caller)]
Db = Annotated[Database, Depends(_database)]
Reg = Annotated[Registry, Depends(_registry)]
