"""The API for programs, under /api/v1. Programs use an operator's token."""

from fastapi import APIRouter

from pointctl.server.api import devices, factory, fleet, imports, people, products

ROUTERS: tuple[APIRouter, ...] = (
    people.me_router,
    fleet.router,
    products.router,
    devices.router,
    factory.router,
    imports.router,
    people.router,
)
