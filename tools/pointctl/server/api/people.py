"""/api/v1/me and /api/v1/operators: who calls, and who may."""

from typing import Any

from fastapi import APIRouter, Depends, Response

from pointctl.registry.accounts import operators, tokens
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Role
from pointctl.server.api import models
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.api.etags import IfMatch, seen, tell
from pointctl.server.roles import needs
from pointctl.web.problems import responses

me_router = APIRouter(prefix="/api/v1/me", tags=["me"])
router = APIRouter(
    prefix="/api/v1/operators",
    tags=["operators"],
    dependencies=[Depends(caller)],
    responses=responses(400, 401, 403),
)


@me_router.get(
    "",
    summary="Tell who the token belongs to",
    openapi_extra=needs(Role.VIEWER),
    responses=responses(401),
)
def me(actor: Caller) -> models.Me:
    return models.Me(name=actor.name, role=actor.role)


@router.get("", summary="List the operators", openapi_extra=needs(Role.ADMIN))
def listed(database: Db) -> list[models.OperatorRow]:
    return [_shown(each) for each in operators.list_operators(database)]


@router.post(
    "",
    summary="Add an operator",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(409, 422),
)
def add(
    new: models.NewOperator, actor: Caller, database: Db, response: Response
) -> models.OperatorRow:
    operators.add(database, new.name, new.role, new.password, actor.name)
    response.headers["Location"] = f"/api/v1/operators/{new.name}"
    return _version(database, new.name, response)


@router.get(
    "/{name}",
    summary="Show an operator",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 422),
)
def show(name: models.Name, database: Db, response: Response) -> models.OperatorRow:
    return _version(database, name, response)


@router.patch(
    "/{name}",
    summary="Change an operator, and end its sessions",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 409, 412, 422),
)
def change(
    name: models.Name,
    change: models.OperatorChange,
    actor: Caller,
    database: Db,
    response: Response,
    if_match: IfMatch = None,
) -> models.OperatorRow:
    operators.change(
        database,
        name,
        actor.name,
        role=change.role,
        disabled=change.disabled,
        password=change.password,
        etag=seen(if_match),
    )
    return _version(database, name, response)


@router.get(
    "/{name}/tokens",
    summary="List the tokens of an operator",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 422),
)
def list_tokens(name: models.Name, database: Db) -> list[models.TokenRow]:
    return [_token(each) for each in tokens.list_tokens(database, name)]


@router.post(
    "/{name}/tokens",
    summary="Make a token of an operator",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 409, 422),
)
def add_token(
    name: models.Name, new: models.NewToken, actor: Caller, database: Db
) -> models.MadeToken:
    token = tokens.add(database, name, new.label, new.role, new.days, actor.name)
    return models.MadeToken(token=token)


@router.delete(
    "/{name}/tokens/{label}",
    summary="Let nobody in with this token",
    status_code=204,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 422),
)
def revoke_token(
    name: models.Name, label: models.Label, actor: Caller, database: Db
) -> None:
    tokens.revoke(database, name, label, actor.name)


def _version(database: Database, name: str, response: Response) -> models.OperatorRow:
    found = operators.get(database, name)
    tell(response, operators.summarize(found))
    return _shown(found)


def _shown(operator: Any) -> models.OperatorRow:
    return models.OperatorRow.model_validate(operators.summarize(operator))


def _token(token: Any) -> models.TokenRow:
    return models.TokenRow.model_validate(tokens.summarize(token))
