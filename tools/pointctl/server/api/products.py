"""/api/v1/products and …/batches: the kinds of device, and what is made together."""

from typing import Any

from fastapi import APIRouter, Depends

from pointctl.registry import batches, products
from pointctl.registry.models import Role
from pointctl.server.api import models
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.problems import responses
from pointctl.server.roles import needs

router = APIRouter(
    prefix="/api/v1/products",
    tags=["products"],
    dependencies=[Depends(caller)],
    responses=responses(400, 401),
)


@router.get("", summary="List the products", openapi_extra=needs(Role.VIEWER))
def listed(database: Db) -> list[models.ProductRow]:
    return [
        models.ProductRow.model_validate(products.summary(each))
        for each in products.listed(database)
    ]


@router.post(
    "",
    summary="Add a product",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(403, 409, 422),
)
def add(new: models.NewProduct, actor: Caller, database: Db) -> models.ProductRow:
    made = products.add(database, **new.model_dump(), who=actor.name)
    return models.ProductRow.model_validate(products.summary(made))


@router.patch(
    "/{product_key}",
    summary="Change a product: boards are told at their next claim",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(403, 404, 422),
)
def change(
    product_key: models.ProductKey,
    change: models.ProductChange,
    actor: Caller,
    database: Db,
) -> models.ProductRow:
    settings = change.model_dump(exclude_unset=True)
    made = products.change(database, product_key, actor.name, **settings)
    return models.ProductRow.model_validate(products.summary(made))


@router.get(
    "/{product_key}/batches",
    summary="List the batches of a product, newest first",
    tags=["batches"],
    openapi_extra=needs(Role.VIEWER),
    responses=responses(422),
)
def list_batches(product_key: models.ProductKey, database: Db) -> list[models.BatchRow]:
    return [_batch(each) for each in batches.listed(database, product_key)]


@router.post(
    "/{product_key}/batches",
    summary="Add a batch",
    tags=["batches"],
    status_code=201,
    openapi_extra=needs(Role.OPERATOR),
    responses=responses(403, 404, 409, 422),
)
def add_batch(
    product_key: models.ProductKey,
    new: models.NewBatch,
    actor: Caller,
    database: Db,
) -> models.BatchRow:
    made = batches.add(
        database,
        product_key,
        new.name,
        actor.name,
        quota=new.quota,
        expires_at=new.expires_at,
    )
    return _batch(made)


@router.patch(
    "/{product_key}/batches/{name}",
    summary="Change the limits of a batch",
    tags=["batches"],
    openapi_extra=needs(Role.OPERATOR),
    responses=responses(403, 404, 422),
)
def change_batch(
    product_key: models.ProductKey,
    name: models.BatchName,
    change: models.BatchChange,
    actor: Caller,
    database: Db,
) -> models.BatchRow:
    given = change.model_dump(exclude_unset=True)
    return _batch(batches.change(database, product_key, name, actor.name, **given))


def _batch(batch: dict[str, Any]) -> models.BatchRow:
    return models.BatchRow.model_validate(batch)
