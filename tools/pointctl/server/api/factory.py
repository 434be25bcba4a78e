"""What stations of a factory ask for: a board's place in a batch, and its claim key."""

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from pointctl.registry.issuing import claim_key_handout
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage.models import Role
from pointctl.server.api import models
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.roles import needs
from pointctl.web.problems import responses

router = APIRouter(
    prefix="/api/v1",
    tags=["factory"],
    dependencies=[Depends(caller)],
    responses=responses(400, 401, 403, 422),
)


class Place(BaseModel):
    """Where a board is made."""

    model_config = models.given({"batch": "A7"})

    batch: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,64}$")


class GivenKey(BaseModel):
    """What is burned into a board."""

    model_config = models.shown(
        {"imei": models.IMEI, "claim_key": "5f" * 32, "registered": True}
    )

    imei: str
    claim_key: str = Field(description="64 hex digits; derived, the server keeps none")
    registered: bool = Field(description="it was not registered before")


@router.post(
    "/products/{product_key}/devices/{imei}/claim-key",
    summary="Register a board into a batch, and hand out its claim key",
    description="Asked again it gives the same key, and takes no second place. Boards "
    "that have claimed their credentials are refused. The audit names who asked.",
    openapi_extra=needs(Role.OPERATOR),
    responses=responses(404, 409),
)
def hand_out(
    request: Request,
    product_key: models.ProductKey,
    imei: models.Imei,
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
