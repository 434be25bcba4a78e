"""The web application over the registry: one router for each kind of client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from point import __version__
from pointctl.registry.broker_accounts import BrokerAccounts
from pointctl.registry.devices.overview import FleetCounts
from pointctl.registry.devices.refusal_counts import RefusalCounter
from pointctl.registry.issuing.issuer import Issuer
from pointctl.registry.keys.claim_keys import ClaimKeys
from pointctl.registry.storage.database import Database
from pointctl.server import api, health
from pointctl.server.broker_hooks import endpoints
from pointctl.server.console import create_console
from pointctl.server.device_api import endpoint, refusal_flush
from pointctl.server.roles import Registry, check_roles_declared
from pointctl.server.statuses import status_of
from pointctl.web import docs_page, problems, tls
from pointctl.web.headers import SafeHeaders

_MAX_BODY_BYTES = 1 << 16  # of the API's requests, except files


def create_app(
    database: Database,
    keys: ClaimKeys,
    broker_accounts: BrokerAccounts | None = None,
    mqtt_hook_token: str | None = None,
    certificate: tls.Certificate | None = None,
) -> FastAPI:
    """Create the ASGI application over one registry.

    With `mqtt_hook_token` it has the endpoints that brokers ask. It reloads the
    certificate that it is served with when the files change.
    """
    registry = Registry(database, FleetCounts(database), broker_accounts)
    counter = RefusalCounter(database)

    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        async with refusal_flush.flushing(counter), tls.watch(certificate):
            yield

    app = FastAPI(
        title="PointAccess",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=running,
    )
    app.add_middleware(SafeHeaders)
    app.state.registry = registry
    app.state.claim_keys = keys
    boards = endpoint.make_endpoint(Issuer(database, keys, broker_accounts), counter)
    app.include_router(endpoint.router(boards))
    app.add_middleware(endpoint.BoardsFirst, access=boards)
    problems.install(app, api.ROUTERS, status_of)
    check_roles_declared(api.ROUTERS)
    for router in api.ROUTERS:
        app.include_router(router, max_body_size=_MAX_BODY_BYTES)
    app.include_router(docs_page.router)
    app.mount("/console", create_console(registry))

    @app.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("/console/")

    if mqtt_hook_token is not None:
        app.include_router(endpoints.router(database, mqtt_hook_token))

    served = certificate.path if certificate else None
    app.include_router(health.router(database, served))
    return app
