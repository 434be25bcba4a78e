"""List the routes of an application's routers."""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from fastapi.routing import APIRoute


def list_routes(routers: Iterable[APIRouter]) -> Iterator[APIRoute]:
    """Return every route of the routers.

    Raises RuntimeError for a route that cannot declare the role that it needs.
    """
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise RuntimeError(f"{route} cannot declare a role; use an APIRoute")
            yield route
