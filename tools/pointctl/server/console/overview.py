"""The first page: counts of the fleet, and the last changes."""

from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request, Response

from pointctl.registry import audit
from pointctl.registry.devices import overview, refusal_counts
from pointctl.registry.devices.overview import Span
from pointctl.registry.storage.models import Role, State
from pointctl.server.console.chart import draw_chart
from pointctl.server.console.pages import render_page
from pointctl.server.console.session_dependency import Reg, session_dependency
from pointctl.server.device_api import wire
from pointctl.server.roles import needs

router = APIRouter(dependencies=[Depends(session_dependency)])
_RECENT = 8


@router.get("/", openapi_extra=needs(Role.VIEWER))
def show(request: Request, registry: Reg, span: Span = Span.DAY) -> Response:
    database, counts = registry.database, registry.counts
    states = counts.count_states()
    return render_page(
        request,
        "overview.html",
        now=datetime.now(UTC),
        span=span,
        spans=Span,
        states=states,
        devices=sum(states.values()),
        pools=counts.count_pools(),
        quarantined=states[State.QUARANTINED],
        chart=draw_chart(counts.count_enrolments(span), span),
        refusals=refusal_counts.since(database, overview.find_span_start(span)),
        meanings=wire.REFUSALS,
        recent=audit.list_entries(database, limit=_RECENT),
    )
