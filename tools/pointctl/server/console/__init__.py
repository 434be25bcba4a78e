"""The console under /console: the web pages for people."""

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
from pointctl.server.roles import Registry, check_roles_declared

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

_MAX_FORM_BYTES = 1 << 16  # of all forms without files


def create_console(registry: Registry) -> FastAPI:
    """Create the application to mount at /console."""
    app = FastAPI(openapi_url=None, max_body_size=_MAX_FORM_BYTES)
    app.state.registry = registry
    app.add_middleware(headers.ContentPolicy)
    errors.install(app)
    check_roles_declared(ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    return app
