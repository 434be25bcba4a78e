"""The audit: what was done, by whom, newest first."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pointctl.registry import audit
from pointctl.registry.storage.models import Role
from pointctl.server.console.pages import render_page
from pointctl.server.console.session_dependency import Db, session_dependency
from pointctl.server.roles import needs

router = APIRouter(dependencies=[Depends(session_dependency)])
_ROWS = 50


@router.get("/audit", openapi_extra=needs(Role.VIEWER))
def show(
    request: Request,
    database: Db,
    who: Annotated[str, Query(max_length=64)] = "",
    what: Annotated[str, Query(max_length=32)] = "",
    after: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    rows = audit.list_entries(
        database,
        who=who.strip() or None,
        what=what.strip() or None,
        before=after,
        limit=_ROWS + 1,
    )
    following = rows[_ROWS - 1]["id"] if len(rows) > _ROWS else None
    return render_page(
        request,
        "audit.html",
        rows=rows[:_ROWS],
        filters={"who": who, "what": what},
        after=after,
        next=following,
    )
