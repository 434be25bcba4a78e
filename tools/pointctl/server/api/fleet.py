"""/api/v1/overview and /api/v1/audit: counts of the fleet, and what was done."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pointctl.registry import audit
from pointctl.registry.devices import overview, refusal_counts
from pointctl.registry.devices.overview import Span
from pointctl.registry.storage.models import Role
from pointctl.server.api.caller import Db, Reg, caller
from pointctl.server.api.models.common import Limit, Page, Word
from pointctl.server.api.models.fleet import Entry, Figures
from pointctl.server.api.pages import link_next
from pointctl.server.roles import needs
from pointctl.web.problems import responses

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(caller)],
    responses=responses(401, 422),
)


@router.get(
    "/overview",
    tags=["overview"],
    summary="Count devices, enrolments, refusals and pools",
    openapi_extra=needs(Role.VIEWER),
)
def show_overview(registry: Reg, span: Span = Span.DAY) -> Figures:
    counts = registry.counts
    return Figures.model_validate(
        {
            "states": counts.count_states(),
            "enrolments": map(asdict, counts.count_enrolments(span)),
            "refusals": refusal_counts.since(
                registry.database, overview.find_span_start(span)
            ),
            "pools": counts.count_pools(),
        }
    )


@router.get(
    "/audit",
    tags=["audit"],
    summary="List what was done, newest first",
    openapi_extra=needs(Role.VIEWER),
)
def list_audit(
    request: Request,
    response: Response,
    database: Db,
    who: Word = None,
    what: Word = None,
    after: Annotated[
        str | None, Query(pattern="^[0-9]{1,18}$", description="`next` of a page")
    ] = None,
    limit: Limit = 100,
) -> Page[Entry]:
    rows = audit.list_entries(
        database,
        who=who,
        what=what,
        before=None if after is None else int(after),
        limit=limit + 1,
    )
    following = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    link_next(request, response, following)
    items = [Entry.model_validate(row) for row in rows[:limit]]
    return Page(items=items, next=following)
