"""/api/v1/me and /api/v1/operators: the caller, the operators and their tokens."""

from fastapi import APIRouter, Depends, Response

from pointctl.registry.accounts import operators, tokens
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Operator, Role
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.api.etags import IfMatch, parse_if_match, set_etag
from pointctl.server.api.models.common import Label, Name
from pointctl.server.api.models.people import (
    MadeToken,
    Me,
    NewOperator,
    NewToken,
    OperatorChange,
    OperatorRow,
    TokenRow,
)
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
    summary="Show the holder of the token",
    openapi_extra=needs(Role.VIEWER),
    responses=responses(401),
)
def me(actor: Caller) -> Me:
    return Me(name=actor.name, role=actor.role)


@router.get("", summary="List the operators", openapi_extra=needs(Role.ADMIN))
def list_operators(database: Db) -> list[OperatorRow]:
    return [_row(each) for each in operators.list_operators(database)]


@router.post(
    "",
    summary="Add an operator",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(409, 422),
)
def add(
    new: NewOperator, actor: Caller, database: Db, response: Response
) -> OperatorRow:
    operators.add(database, new.name, new.role, new.password, actor.name)
    response.headers["Location"] = f"/api/v1/operators/{new.name}"
    return _respond(database, new.name, response)


@router.get(
    "/{name}",
    summary="Show an operator",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 422),
)
def show(name: Name, database: Db, response: Response) -> OperatorRow:
    return _respond(database, name, response)


@router.patch(
    "/{name}",
    summary="Change an operator, and end its sessions",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 409, 412, 422),
)
def change(
    name: Name,
    change: OperatorChange,
    actor: Caller,
    database: Db,
    response: Response,
    if_match: IfMatch = None,
) -> OperatorRow:
    operators.change(
        database,
        name,
        actor.name,
        role=change.role,
        disabled=change.disabled,
        password=change.password,
        etag=parse_if_match(if_match),
    )
    return _respond(database, name, response)


@router.get(
    "/{name}/tokens",
    summary="List the tokens of an operator",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 422),
)
def list_tokens(name: Name, database: Db) -> list[TokenRow]:
    return [
        TokenRow.model_validate(tokens.summarize(each))
        for each in tokens.list_tokens(database, name)
    ]


@router.post(
    "/{name}/tokens",
    summary="Make a token of an operator",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 409, 422),
)
def add_token(name: Name, new: NewToken, actor: Caller, database: Db) -> MadeToken:
    token = tokens.add(database, name, new.label, new.role, new.days, actor.name)
    return MadeToken(token=token)


@router.delete(
    "/{name}/tokens/{label}",
    summary="Revoke a token for good",
    status_code=204,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 422),
)
def revoke_token(name: Name, label: Label, actor: Caller, database: Db) -> None:
    tokens.revoke(database, name, label, actor.name)


def _respond(database: Database, name: str, response: Response) -> OperatorRow:
    found = operators.get(database, name)
    set_etag(response, operators.summarize(found))
    return _row(found)


def _row(operator: Operator) -> OperatorRow:
    return OperatorRow.model_validate(operators.summarize(operator))
