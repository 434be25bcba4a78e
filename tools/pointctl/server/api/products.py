"""/api/v1/products and …/batches: the kinds of device, and their batches."""

from fastapi import APIRouter, Depends, Response

from pointctl.registry.devices import batches, products
from pointctl.registry.storage.models import Product, Role
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.api.etags import IfMatch, parse_if_match, set_etag
from pointctl.server.api.models.batches import BatchChange, BatchRow, NewBatch
from pointctl.server.api.models.common import BatchName, ProductKey
from pointctl.server.api.models.products import NewProduct, ProductChange, ProductRow
from pointctl.server.roles import needs
from pointctl.web.problems import responses

router = APIRouter(
    prefix="/api/v1/products",
    tags=["products"],
    dependencies=[Depends(caller)],
    responses=responses(400, 401),
)


@router.get("", summary="List the products", openapi_extra=needs(Role.VIEWER))
def list_products(database: Db) -> list[ProductRow]:
    return [
        ProductRow.model_validate(products.summarize(each))
        for each in products.list_products(database)
    ]


@router.post(
    "",
    summary="Add a product",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=responses(403, 409, 422),
)
def add(new: NewProduct, actor: Caller, database: Db, response: Response) -> ProductRow:
    made = products.add(database, **new.model_dump(), who=actor.name)
    response.headers["Location"] = f"/api/v1/products/{made.product_key}"
    return _product(made, response)


@router.get(
    "/{product_key}",
    summary="Show a product",
    openapi_extra=needs(Role.VIEWER),
    responses=responses(404, 422),
)
def show(product_key: ProductKey, database: Db, response: Response) -> ProductRow:
    return _product(products.get(database, product_key), response)


@router.patch(
    "/{product_key}",
    summary="Change a product; boards receive it with their next claim",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(403, 404, 412, 422),
)
def change(
    product_key: ProductKey,
    change: ProductChange,
    actor: Caller,
    database: Db,
    response: Response,
    if_match: IfMatch = None,
) -> ProductRow:
    settings = change.model_dump(exclude_unset=True)
    etag = parse_if_match(if_match)
    changed = products.change(database, product_key, actor.name, etag, **settings)
    return _product(changed, response)


@router.get(
    "/{product_key}/batches",
    summary="List the batches of a product, newest first",
    tags=["batches"],
    openapi_extra=needs(Role.VIEWER),
    responses=responses(422),
)
def list_batches(product_key: ProductKey, database: Db) -> list[BatchRow]:
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
    product_key: ProductKey,
    new: NewBatch,
    actor: Caller,
    database: Db,
    response: Response,
) -> BatchRow:
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
    set_etag(response, made)
    return _batch(made)


@router.get(
    "/{product_key}/batches/{name}",
    summary="Show a batch",
    tags=["batches"],
    openapi_extra=needs(Role.VIEWER),
    responses=responses(404, 422),
)
def show_batch(
    product_key: ProductKey,
    name: BatchName,
    database: Db,
    response: Response,
) -> BatchRow:
    found = batches.get(database, product_key, name)
    set_etag(response, found)
    return _batch(found)


@router.patch(
    "/{product_key}/batches/{name}",
    summary="Change the limits of a batch",
    tags=["batches"],
    openapi_extra=needs(Role.OPERATOR),
    responses=responses(403, 404, 412, 422),
)
def change_batch(
    product_key: ProductKey,
    name: BatchName,
    change: BatchChange,
    actor: Caller,
    database: Db,
    response: Response,
    if_match: IfMatch = None,
) -> BatchRow:
    changed = batches.change(
        database,
        product_key,
        name,
        actor.name,
        etag=parse_if_match(if_match),
        **change.model_dump(exclude_unset=True),
    )
    set_etag(response, changed)
    return _batch(changed)


def _product(product: Product, response: Response) -> ProductRow:
    summary = products.summarize(product)
    set_etag(response, summary)
    return ProductRow.model_validate(summary)


def _batch(batch: batches.BatchSummary) -> BatchRow:
    return BatchRow.model_validate(batch)
