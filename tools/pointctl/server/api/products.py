"""/api/v1/products and …/batches: the kinds of device, and what is made together."""

from fastapi import APIRouter, Depends, Response

from pointctl.registry.devices import batches, products
from pointctl.registry.storage.models import Product, Role
from pointctl.server.api import models
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.api.etags import IfMatch, seen, tell
from pointctl.server.roles import needs
from pointctl.web.problems import responses

router = APIRouter(
    prefix="/api/v1/products",
    tags=["products"],
    dependencies=[Depends(caller)],
    responses=responses(400, 401),
)


@router.get("", summary="List the products", openapi_extra=needs(Role.VIEWER))
def listed(database: Db) -> list[models.ProductRow]:
    return [
        models.ProductRow.model_validate(products.summarize(each))
        for each in products.list_products(database)
    ]


@router.post(
    "",
    summary="Add a product",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(403, 409, 422),
)
def add(
    new: models.NewProduct, actor: Caller, database: Db, response: Response
) -> models.ProductRow:
    made = products.add(database, **new.model_dump(), who=actor.name)
    response.headers["Location"] = f"/api/v1/products/{made.product_key}"
    return _product(made, response)


@router.get(
    "/{product_key}",
    summary="Show a product",
    openapi_extra=needs(Role.VIEWER),
    responses=responses(404, 422),
)
def show(
    product_key: models.ProductKey, database: Db, response: Response
) -> models.ProductRow:
    return _product(products.get(database, product_key), response)


@router.patch(
    "/{product_key}",
    summary="Change a product: boards are told at their next claim",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(403, 404, 412, 422),
)
def change(
    product_key: models.ProductKey,
    change: models.ProductChange,
    actor: Caller,
    database: Db,
    response: Response,
    if_match: IfMatch = None,
) -> models.ProductRow:
    settings = change.model_dump(exclude_unset=True)
    names = product_key, actor.name, seen(if_match)
    return _product(products.change(database, *names, **settings), response)


@router.get(
    "/{product_key}/batches",
    summary="List the batches of a product, newest first",
    tags=["batches"],
    openapi_extra=needs(Role.VIEWER),
    responses=responses(422),
)
def list_batches(product_key: models.ProductKey, database: Db) -> list[models.BatchRow]:
    return [_batch(each) for each in batches.list_batches(database, product_key)]


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
    response: Response,
) -> models.BatchRow:
    made = batches.add(
        database,
        product_key,
        new.name,
        actor.name,
        quota=new.quota,
        expires_at=new.expires_at,
    )
    url = f"/api/v1/products/{product_key}/batches/{new.name}"
    response.headers["Location"] = url
    tell(response, made)
    return _batch(made)


@router.get(
    "/{product_key}/batches/{name}",
    summary="Show a batch",
    tags=["batches"],
    openapi_extra=needs(Role.VIEWER),
    responses=responses(404, 422),
)
def show_batch(
    product_key: models.ProductKey,
    name: models.BatchName,
    database: Db,
    response: Response,
) -> models.BatchRow:
    found = batches.get(database, product_key, name)
    tell(response, found)
    return _batch(found)


@router.patch(
    "/{product_key}/batches/{name}",
    summary="Change the limits of a batch",
    tags=["batches"],
    openapi_extra=needs(Role.OPERATOR),
    responses=responses(403, 404, 412, 422),
)
def change_batch(
    product_key: models.ProductKey,
    name: models.BatchName,
    change: models.BatchChange,
    actor: Caller,
    database: Db,
    response: Response,
    if_match: IfMatch = None,
) -> models.BatchRow:
    given = change.model_dump(exclude_unset=True)
    given["etag"] = seen(if_match)
    made = batches.change(database, product_key, name, actor.name, **given)
    tell(response, made)
    return _batch(made)


def _product(product: Product, response: Response) -> models.ProductRow:
    summary = products.summarize(product)
    tell(response, summary)
    return models.ProductRow.model_validate(summary)


def _batch(batch: batches.BatchSummary) -> models.BatchRow:
    return models.BatchRow.model_validate(batch)
