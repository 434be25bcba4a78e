"""The list of devices, the quarantine queue, and one device with its actions."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from pointctl.errors import PointctlError
from pointctl.registry.actions import ACTIONS, Action
from pointctl.registry.devices import products, search, tags
from pointctl.registry.issuing import lifecycle
from pointctl.registry.storage.models import Role, State
from pointctl.server.console.pages import redirect_done, render_page
from pointctl.server.console.session_dependency import (
    ConsoleSession,
    Db,
    Reg,
    session_dependency,
)
from pointctl.server.roles import needs
from pointctl.server.statuses import status_of

router = APIRouter(dependencies=[Depends(session_dependency)])
_ROWS = 50
_Word = Annotated[str, Query(max_length=64)]
_Reason = Annotated[str, Form(max_length=200)]


@dataclass(frozen=True)
class _FilterForm:
    """The search form; an empty text means no condition."""

    q: _Word = ""
    product: _Word = ""
    state: State | Literal[""] = ""
    batch: _Word = ""
    tag: _Word = ""

    def to_filters(self) -> search.DeviceFilters:
        """Convert the form to the registry's filters."""
        return search.DeviceFilters(
            text=self.q.strip() or None,
            product_key=self.product or None,
            state=self.state or None,
            batch=self.batch.strip() or None,
            tag=self.tag.strip() or None,
        )


FilterForm = Annotated[_FilterForm, Depends()]


@router.get("/devices", openapi_extra=needs(Role.VIEWER))
def list_devices(
    request: Request, database: Db, filters: FilterForm, after: _Word = ""
) -> Response:
    wanted = filters.to_filters()
    found = search.search(database, wanted, limit=_ROWS, after=after or None)
    given = asdict(filters)
    return render_page(
        request,
        "devices.html",
        rows=found.rows,
        next=found.next,
        after=after,
        filters={name: value for name, value in given.items() if value},
        products=products.list_products(database),
        states=State,
    )


@router.get("/quarantine", openapi_extra=needs(Role.VIEWER))
def quarantine(
    request: Request, database: Db, after: _Word = "", done: str = ""
) -> Response:
    filters = search.DeviceFilters(state=State.QUARANTINED)
    found = search.search(database, filters, limit=_ROWS, after=after or None)
    rows = [
        search.show(database, row["imei"], row["product_key"]) for row in found.rows
    ]
    return render_page(
        request,
        "quarantine.html",
        rows=rows,
        next=found.next,
        after=after,
        done=done,
        filters={},
    )


@router.get("/devices/{product_key}/{imei}", openapi_extra=needs(Role.VIEWER))
def show(
    request: Request, database: Db, product_key: str, imei: str, done: str = ""
) -> Response:
    return _page(request, database, product_key, imei, done=done)


@router.post("/devices/{product_key}/{imei}/tags", openapi_extra=needs(Role.OPERATOR))
def tag(
    request: Request,
    browser: ConsoleSession,
    database: Db,
    product_key: str,
    imei: str,
    add: Annotated[str, Form(max_length=200)] = "",
    remove: Annotated[list[str] | None, Form()] = None,
) -> Response:
    who = browser.actor.name
    try:
        tags.change(
            database, imei, product_key, who, add=add.split(), remove=remove or ()
        )
    except PointctlError as error:
        status = status_of(error)
        return _page(request, database, product_key, imei, status, error=str(error))
    return redirect_done(f"/console/devices/{product_key}/{imei}", "tags")


@router.post("/devices/{product_key}/{imei}/reveal", openapi_extra=needs(Role.ADMIN))
def reveal(
    request: Request,
    browser: ConsoleSession,
    database: Db,
    product_key: str,
    imei: str,
    reason: _Reason,
) -> Response:
    who, why = browser.actor.name, reason.strip()
    try:
        secrets = lifecycle.reveal(database, imei, product_key, who, reason=why)
    except PointctlError as error:
        status = status_of(error)
        return _page(request, database, product_key, imei, status, error=str(error))
    return _page(request, database, product_key, imei, secrets=secrets)


def _page(
    request: Request,
    database: Db,
    product_key: str,
    imei: str,
    status: int = 200,
    **values: Any,
) -> Response:
    device = search.show(database, imei, product_key)
    role = request.state.browser.actor.role
    offered = [action for action in ACTIONS if action.is_offered(device, role)]
    values = {"done": "", "error": None, "secrets": (), **values}
    return render_page(
        request, "device.html", status, device=device, offered=offered, **values
    )


def _add_action(action: Action) -> None:
    def do(
        request: Request,
        browser: ConsoleSession,
        registry: Reg,
        product_key: str,
        imei: str,
        reason: _Reason = "",
        back: Annotated[str, Form()] = "",
    ) -> Response:
        database, accounts = registry.database, registry.broker_accounts
        who, why = browser.actor.name, reason.strip()
        try:
            action.run(database, accounts, imei, product_key, who, reason=why)
        except PointctlError as error:
            status = status_of(error)
            return _page(request, database, product_key, imei, status, error=str(error))
        if back == "quarantine":
            return redirect_done("/console/quarantine", action.name)
        return redirect_done(f"/console/devices/{product_key}/{imei}", action.name)

    router.add_api_route(
        f"/devices/{{product_key}}/{{imei}}/{action.name}",
        do,
        methods=["POST"],
        openapi_extra=needs(action.role),
        name=action.name,
    )


for each in ACTIONS:
    _add_action(each)
