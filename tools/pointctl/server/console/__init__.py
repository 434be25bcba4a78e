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
    login,
    operators,
    overview,
)
from pointctl.server.roles import Registry, check_declared

ROUTERS: tuple[APIRouter, ...] = (
    files.router,
    login.router,
    overview.router,
    devices.router,
    batches.router,
    audit.router,
    operators.router,
    account.router,
)


def create_console(registry: Registry) -> FastAPI:
    """The application to mount at /console."""
    app = FastAPI(openapi_url=None)
    app.state.registry = registry
    app.add_middleware(headers.ContentPolicy)
    errors.install(app)
    check_declared(ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    return app
