"""GET /healthz and /readyz, for monitoring and load balancers."""

from pathlib import Path
from typing import Literal

import structlog
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import literal, select

from pointctl import certificates
from pointctl.errors import PointctlError
from pointctl.registry.storage import schema
from pointctl.registry.storage.database import Database

_log = structlog.get_logger()


class Readiness(BaseModel):
    """Whether this server should get requests, and why."""

    status: Literal["ready", "not ready"]
    database: Literal["ok", "unreachable", "wrong revision"]
    certificate_days: int | None = Field(
        description="days until the certificate expires; boards refuse an expired one"
    )


def router(database: Database, certificate: Path | None) -> APIRouter:
    """Create the endpoints; `certificate` is the file that the server uses, if any."""
    made = APIRouter(tags=["health"])

    @made.get("/healthz", summary="Check that the registry can be read")
    def healthz() -> dict[str, str]:
        with database.snapshot() as session:
            session.execute(select(literal(1)))
        return {"status": "ok"}

    @made.get(
        "/readyz",
        summary="Check that boards can be answered",
        responses={503: {"model": Readiness, "description": "Not ready"}},
    )
    def readyz(response: Response) -> Readiness:
        found = _database(database)
        days = certificates.days_left(certificate) if certificate else None
        ready = found == "ok" and (days is None or days >= 0)
        response.status_code = 200 if ready else 503
        return Readiness(
            status="ready" if ready else "not ready",
            database=found,
            certificate_days=days,
        )

    return made


def _database(database: Database) -> Literal["ok", "unreachable", "wrong revision"]:
    try:
        with database.snapshot() as session:
            revision = schema.revision(session.connection())
    except PointctlError as error:
        _log.warning("not ready", exc_info=error)
        return "unreachable"
    return "ok" if revision == schema.head() else "wrong revision"
