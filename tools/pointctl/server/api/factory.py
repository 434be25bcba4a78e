"""The API of factory stations: register a board into a batch, return its claim key."""

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from pointctl.registry.issuing import claim_key_handout
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage.models import Role
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.api.models.common import (
    IMEI,
    Imei,
    ProductKey,
    request_config,
    response_config,
)
from pointctl.server.roles import needs
from pointctl.web.problems import responses

router = APIRouter(
    prefix="/api/v1",
    tags=["factory"],
    dependencies=[Depends(caller)],
    responses=responses(400, 401, 403, 422),
)


class Place(BaseModel):
    """The batch in which a board is made."""

    model_config = request_config({"batch": "A7"})

    batch: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,64}$")


class GivenKey(BaseModel):
    """The claim key that the station writes into a board."""

    model_config = response_config(
        {"imei": IMEI, "claim_key": "5f" * 32, "registered": True}
    )

    imei: str
    claim_key: str = Field(description="64 hex digits; derived, never stored")
    registered: bool = Field(description="whether this request registered the board")


@router.post(
    "/products/{product_key}/devices/{imei}/claim-key",
    summary="Register a board into a batch, and hand out its claim key",
    description="A repeated request returns the same key and takes no second place. "
    "Boards that have claimed their credentials are refused. The audit names the "
    "caller.",
    openapi_extra=needs(Role.OPERATOR),
    responses=responses(404, 409),
)
def hand_out(
    request: Request,
    product_key: ProductKey,
    imei: Imei,
    place: Place,
    actor: Caller,
    database: Db,
    response: Response,
) -> GivenKey:
    keys: ClaimKeys = request.app.state.claim_keys
    response.headers["Cache-Control"] = "no-store"
    given = claim_key_handout.hand_out(
        database, keys, product_key, imei, place.batch, actor.name
    )
    return GivenKey(imei=imei, claim_key=given.claim_key, registered=given.registered)
