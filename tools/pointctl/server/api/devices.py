"""Devices in the API: find, register and show them, and act on them."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from pointctl.errors import PointctlError
from pointctl.registry.actions import ACTIONS, Action
from pointctl.registry.devices import devices, search, tags
from pointctl.registry.issuing import lifecycle
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Role, State
from pointctl.server.api.caller import Caller, Db, Reg, caller
from pointctl.server.api.etags import IfMatch, parse_if_match
from pointctl.server.api.models.common import (
    PRINTABLE_PATTERN,
    Imei,
    Limit,
    Page,
    ProductKey,
    Word,
)
from pointctl.server.api.models.devices import (
    DeviceRow,
    DeviceShown,
    NewDevice,
    Revealed,
    RevealWhy,
    TagChange,
    Tags,
    Why,
)
from pointctl.server.api.pages import link_next
from pointctl.server.roles import needs
from pointctl.web.problems import responses

router = APIRouter(
    prefix="/api/v1",
    tags=["devices"],
    dependencies=[Depends(caller)],
    responses=responses(400, 401, 403, 422),
)
_ONE = "/products/{product_key}/devices/{imei}"


@router.get("/devices", summary="Find devices", openapi_extra=needs(Role.VIEWER))
def find_devices(
    request: Request,
    response: Response,
    database: Db,
    q: Annotated[Word, Query(description="how the IMEI or the name begins")] = None,
    product: Word = None,
    state: State | None = None,
    batch: Word = None,
    tag: Word = None,
    after: Annotated[
        str | None,
        Query(
            max_length=130, pattern=PRINTABLE_PATTERN, description="`next` of a page"
        ),
    ] = None,
    limit: Limit = 100,
) -> Page[DeviceRow]:
    filters = search.DeviceFilters(q, product, state, batch, tag)
    found = search.search(database, filters, limit=limit, after=after)
    link_next(request, response, found.next)
    items = [DeviceRow.model_validate(row) for row in found.rows]
    return Page(items=items, next=found.next)


@router.post(
    "/products/{product_key}/devices",
    summary="Register a device",
    description="A device that is registered already does not change: 200, not 201.",
    status_code=201,
    openapi_extra=needs(Role.OPERATOR),
    responses={
        200: {"description": "It was registered", "model": DeviceShown},
        **responses(404),
    },
)
def add(
    product_key: ProductKey,
    new: NewDevice,
    actor: Caller,
    database: Db,
    response: Response,
) -> DeviceShown:
    row = devices.validate_row(1, new.imei, new.device_name)
    result = devices.register(database, product_key, [row], who=actor.name)
    if result.bad:
        raise PointctlError(result.bad[0].reason)
    if not result.added:
        response.status_code = 200
    url = f"/api/v1/products/{product_key}/devices/{new.imei}"
    response.headers["Location"] = url
    return _show_device(database, product_key, new.imei, response)


@router.get(
    _ONE,
    summary="Show a device with its history",
    openapi_extra=needs(Role.VIEWER),
    responses=responses(404),
)
def show(
    product_key: ProductKey,
    imei: Imei,
    database: Db,
    response: Response,
) -> DeviceShown:
    return _show_device(database, product_key, imei, response)


@router.patch(
    _ONE + "/tags",
    summary="Put tags on a device, and take tags off",
    openapi_extra=needs(Role.OPERATOR),
    responses=responses(404),
)
def tag(
    product_key: ProductKey,
    imei: Imei,
    change: TagChange,
    actor: Caller,
    database: Db,
) -> Tags:
    changed = tags.change(
        database, imei, product_key, actor.name, add=change.add, remove=change.remove
    )
    return Tags(tags=changed)


@router.post(
    _ONE + "/reveal",
    summary="Reveal the secrets of a device",
    description="The audit keeps who saw them, and why.",
    openapi_extra=needs(Role.ADMIN),
    responses=responses(404, 409, 412),
)
def reveal(
    product_key: ProductKey,
    imei: Imei,
    why: RevealWhy,
    actor: Caller,
    database: Db,
    response: Response,
    if_match: IfMatch = None,
) -> Revealed:
    response.headers["Cache-Control"] = "no-store"
    secrets = lifecycle.reveal(
        database, imei, product_key, actor.name, **_why(why.reason, if_match)
    )
    return Revealed(device_secrets=secrets)


def _add_action(action: Action) -> None:
    def do(
        product_key: ProductKey,
        imei: Imei,
        actor: Caller,
        registry: Reg,
        response: Response,
        why: Annotated[Why | None, Body()] = None,
        if_match: IfMatch = None,
    ) -> DeviceShown:
        reasons = _why(why.reason if why else None, if_match)
        database, accounts = registry.database, registry.broker_accounts
        action.run(database, accounts, imei, product_key, actor.name, **reasons)
        return _show_device(database, product_key, imei, response)

    may_fail = (502,) if action.updates_broker else ()
    router.add_api_route(
        f"{_ONE}/{action.name}",
        do,
        methods=["POST"],
        name=action.name,
        summary=f"{action.label} a device",
        description=action.meaning,
        openapi_extra=needs(action.role),
        responses=responses(404, 409, 412, *may_fail),
    )


for each in ACTIONS:
    _add_action(each)


def _why(reason: str | None, if_match: str | None) -> lifecycle.Why:
    return {"reason": reason, "etag": parse_if_match(if_match)}


def _show_device(
    database: Database, product_key: str, imei: str, response: Response
) -> DeviceShown:
    found = search.show(database, imei, product_key)
    response.headers["ETag"] = f'"{found["etag"]}"'
    return DeviceShown.model_validate(found)
