"""Import and export of devices and credentials as CSV files."""

from collections.abc import Callable
from typing import Annotated, Any, TextIO

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from pointctl.registry.devices import device_csv, devices, search
from pointctl.registry.devices.staging import ImportOutcome
from pointctl.registry.issuing import pool, pool_csv
from pointctl.registry.storage.models import Role, State
from pointctl.server import files
from pointctl.server.api.caller import Caller, Db, caller
from pointctl.server.api.models.common import IMEI, ProductKey, Word
from pointctl.server.api.models.devices import TAG
from pointctl.server.api.models.imports import ImportResult
from pointctl.server.roles import needs
from pointctl.web.problems import Mistake, problem, responses

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(caller)],
    responses=responses(401, 403, 422),
)
_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"description": "Too large"}}
_DryRun = Annotated[bool, Query(description="only say what would be done")]


def _csv(example: str) -> dict[str, Any]:
    """Describe a CSV body for OpenAPI."""
    content = {"schema": {"type": "string"}, "example": example}
    return {"requestBody": {"required": True, "content": {"text/csv": content}}}


@router.get(
    "/export/devices",
    tags=["devices"],
    summary="Export devices as CSV, without their secrets",
    openapi_extra=needs(Role.VIEWER),
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def export(
    database: Db,
    q: Word = None,
    product: Word = None,
    state: State | None = None,
    batch: Word = None,
    tag: Word = None,
) -> Response:
    filters = search.DeviceFilters(q, product, state, batch, tag)
    return files.send_csv(
        "devices.csv", lambda text: device_csv.write(database, text, filters)
    )


@router.post(
    "/products/{product_key}/import/devices",
    tags=["devices"],
    summary="Register the devices of a CSV file",
    description="All of them, or none if a row is bad. Registered devices do not "
    "change, so the same file can be sent again.",
    openapi_extra={
        **needs(Role.OPERATOR),
        **_csv(f"imei,device_name,tags\n{IMEI},meter-17,pilot spare\n"),
    },
    response_model=ImportResult,
    responses={**responses(404), **_TOO_LARGE},
    max_body_size=files.MAX_FILE_BYTES,
)
async def import_devices(
    request: Request,
    product_key: ProductKey,
    actor: Caller,
    database: Db,
    batch: Word = None,
    tag: Annotated[list[TAG] | None, Query(max_length=50)] = None,
    skip_bad: Annotated[bool, Query(description="skip bad rows")] = False,
    dry_run: _DryRun = False,
) -> Any:
    def register(text: TextIO) -> ImportOutcome:
        return devices.register(
            database,
            product_key,
            device_csv.read(text),
            batch=batch,
            tags=tag or (),
            skip_bad=skip_bad,
            dry_run=dry_run,
            who=actor.name,
        )

    return await _import_file(request, register, skip_bad or dry_run)


@router.post(
    "/products/{product_key}/import/pool",
    tags=["products"],
    summary="Add the credentials of a CSV file to the pool of a product",
    description="Each is issued once. All are added, or none if a row is bad.",
    openapi_extra={
        **needs(Role.ADMIN),
        **_csv("device_name,device_secret\nd1,8c4b1f0e5a6d7c3b2e9f1a0d4c5b6e7f\n"),
    },
    response_model=ImportResult,
    responses={**responses(404, 409), **_TOO_LARGE},
    max_body_size=files.MAX_FILE_BYTES,
)
async def fill_pool(
    request: Request,
    product_key: ProductKey,
    actor: Caller,
    database: Db,
    dry_run: _DryRun = False,
) -> Any:
    def fill(text: TextIO) -> ImportOutcome:
        entries = pool_csv.read(text, product_key)
        return pool.fill(database, product_key, entries, actor.name, dry_run=dry_run)

    return await _import_file(request, fill, dry_run)


async def _import_file(
    request: Request,
    import_text: Callable[[TextIO], ImportOutcome],
    allows_bad_rows: bool,
) -> Any:
    async with files.receive_body(request) as file:

        def run() -> ImportOutcome:
            with files.open_text(file) as text:
                return import_text(text)

        result = await run_in_threadpool(run)
    bad = [{"where": f"line {row.line}", "what": row.reason} for row in result.bad]
    if result.bad_count and not allows_bad_rows:
        why = f"nothing was added, because {result.bad_count} rows are bad"
        return problem(422, why, None, bad)
    return ImportResult(
        added=result.added,
        unchanged=result.unchanged,
        bad_count=result.bad_count,
        bad=[Mistake(**each) for each in bad],
    )
