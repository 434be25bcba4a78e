"""The console under /console: what people see of the registry, and do to it."""

from fastapi import APIRouter, FastAPI

from pointctl.server.console import (
    account,
    audit,
    batches,
    devices,
    errors,
    files,
    headers,
    imports,
    login,
    operators,
    overview,
)
from pointctl.server.roles import Registry, check_declared

ROUTERS: tuple[APIRouter, ...] = (
    files.router,
    login.router,
    overview.router,
    imports.router,
    devices.router,
    batches.router,
    audit.router,
    operators.router,
    account.router,
)

_LARGEST_FORM = 1 << 16  # bytes, of all but files


def create_console(registry: Registry) -> FastAPI:
    """The application to mount at /console."""
    app = FastAPI(openapi_url=None, max_body_size=_LARGEST_FORM)
    app.state.registry = registry
    app.add_middleware(headers.ContentPolicy)
    errors.install(app)
    check_declared(ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    return app
