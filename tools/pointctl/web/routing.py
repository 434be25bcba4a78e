"""The routes of an application's routers."""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from fastapi.routing import APIRoute


def routes(routers: Iterable[APIRouter]) -> Iterator[APIRoute]:
    """Every route of some routers.

    Raises RuntimeError for a route that cannot declare who may use it.
    """
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise RuntimeError(f"{route} is no route that can declare a role")
            yield route
