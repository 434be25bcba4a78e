"""The dependencies of the API's routes: the caller and the registry."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pointctl.registry.accounts import tokens
from pointctl.registry.accounts.operators import Actor
from pointctl.registry.storage.database import Database
from pointctl.server.roles import Registry, check_role

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
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Actor:
    """Return the holder of the token. Raises a 401, or a 403 if its role is too low."""
    actor = None
    if bearer is not None:
        actor = tokens.find_holder(_database(request), bearer.credentials)
    if actor is None:
        raise HTTPException(
            401,
            "the token is missing or not valid; send Authorization: Bearer TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )
    check_role(request, actor)
    return actor


Caller = Annotated[Actor, Depends(caller)]
Db = Annotated[Database, Depends(_database)]
Reg = Annotated[Registry, Depends(_registry)]
