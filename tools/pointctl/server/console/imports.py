"""Import and export of devices as CSV files."""

from typing import IO, Annotated

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile

from pointctl.errors import PointctlError
from pointctl.registry.devices import device_csv, devices, products
from pointctl.registry.devices.staging import ImportOutcome
from pointctl.registry.storage.models import Role
from pointctl.server import files
from pointctl.server.console.devices import FilterForm
from pointctl.server.console.pages import render_page
from pointctl.server.console.session_dependency import (
    ConsoleSession,
    Db,
    session_dependency,
)
from pointctl.server.roles import needs
from pointctl.server.statuses import status_of

router = APIRouter(dependencies=[Depends(session_dependency)])
_MAX_BAD_ROWS = 100  # that the page lists
_Word = Annotated[str, Form(max_length=64)]


@router.get("/devices.csv", openapi_extra=needs(Role.VIEWER))
def export(database: Db, filters: FilterForm) -> Response:
    return files.send_csv(
        "devices.csv",
        lambda text: device_csv.write(database, text, filters.to_filters()),
    )


@router.get("/import", openapi_extra=needs(Role.OPERATOR))
def form(request: Request, database: Db) -> Response:
    return _page(request, database)


@router.post(
    "/import", openapi_extra=needs(Role.OPERATOR), max_body_size=files.MAX_FILE_BYTES
)
def import_devices(
    request: Request,
    browser: ConsoleSession,
    database: Db,
    product: _Word,
    file: Annotated[UploadFile, File()],
    batch: _Word = "",
    tags: Annotated[str, Form(max_length=200)] = "",
    skip_bad: Annotated[bool, Form()] = False,
    dry_run: Annotated[bool, Form()] = False,
) -> Response:
    def register(data: IO[bytes]) -> ImportOutcome:
        with files.open_text(data) as text:
            return devices.register(
                database,
                product,
                device_csv.read(text),
                batch=batch.strip() or None,
                tags=tags.split(),
                skip_bad=skip_bad,
                dry_run=dry_run,
                who=browser.actor.name,
            )

    given = {"product": product, "batch": batch, "tags": tags}
    try:
        result = register(file.file)
    except PointctlError as error:
        return _page(request, database, status_of(error), given, error=str(error))
    refused = bool(result.bad_count) and not skip_bad
    return _page(
        request,
        database,
        422 if refused and not dry_run else 200,
        given,
        result=result,
        dry_run=dry_run,
        refused=refused,
    )


def _page(
    request: Request,
    database: Db,
    status: int = 200,
    given: dict[str, str] | None = None,
    /,
    error: str | None = None,
    result: ImportOutcome | None = None,
    dry_run: bool = True,
    refused: bool = False,
) -> Response:
    return render_page(
        request,
        "import.html",
        status,
        products=products.list_products(database),
        given=given or {"product": "", "batch": "", "tags": ""},
        error=error,
        result=result,
        dry_run=dry_run,
        refused=refused,
        shown=_MAX_BAD_ROWS,
    )
