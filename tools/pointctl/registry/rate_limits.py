"""Rate limits for requests that fail authentication: by address, IMEI and product.

GCRA: one row a key says when its allowance will be whole again. A failure moves that
moment on by an interval; beyond the burst the caller is told how long to wait. A
success is not counted, so that a fleet behind one address is served. Unknown IMEIs and
products are counted as known ones are.
"""

import ipaddress
import math
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, literal, select

from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import RateLimit, table

PER_PRODUCT = 200  # failures a second, of products that have no limit of their own
_SWEEP_ONE_IN = 64  # charges: then rows whose allowance is whole are deleted


@dataclass(frozen=True)
class Limit:
    """An allowance: one failure each `interval_s`, and `burst` of them at once."""

    key: str
    interval_s: float
    burst: int

    @property
    def tolerance_s(self) -> float:
        """How far beyond now `free_at` may be for another failure to be allowed."""
        # A hundredth more: sums of seconds since 1970 are not exact.
        return self.interval_s * (self.burst - 0.99)

    def wait_s(self, free_at: float, now: float) -> float:
        """Seconds until another failure is allowed; 0 or less: it is now."""
        return free_at - now - self.tolerance_s


def address_limit(address: str) -> Limit:
    """20 failures a minute, 10 at once. An IPv6 network of 64 bits is one address."""
    return Limit(f"address {_network(address)}", 3.0, 10)


def imei_limit(imei: str) -> Limit:
    """6 failures a minute, 3 at once."""
    return Limit(f"imei {imei}", 10.0, 3)


def product_limit(product_key: str, per_second: int) -> Limit:
    """So many failures a second, and as many at once."""
    return Limit(f"product {product_key}", 1 / per_second, per_second)


def login_limits(address: str, name: str) -> list[Limit]:
    """Wrong passwords: 10 a minute from an address, 30 a minute for a name."""
    by_address = Limit(f"login from {_network(address)}", 6.0, 10)
    return [by_address, Limit(f"login as {name}", 2.0, 30)]


def charge(database: Database, limits: Iterable[Limit]) -> int | None:
    """Count a failure against each limit; seconds to wait if one of them is used up.

    Then nothing is written, so that a flood does not keep boards from the database.
    """
    limits = sorted(limits, key=lambda limit: limit.key)  # no two lock crosswise
    now = time.time()
    with database.snapshot() as session:
        wait = _wait_s(session.connection(), limits, now)
    if wait is None:
        with database.row_locked() as connection:
            counted = [_count(database, connection, limit, now) for limit in limits]
            if not all(counted):
                wait = _wait_s(connection, limits, now) or 1
            if random.randrange(_SWEEP_ONE_IN) == 0:
                _sweep(connection, now)
    return wait


def wait_s(connection: Connection, limits: list[Limit]) -> int | None:
    """Seconds to wait if one of the limits is used up."""
    return _wait_s(connection, limits, time.time())


def _wait_s(connection: Connection, limits: list[Limit], now: float) -> int | None:
    query = select(RateLimit.key, RateLimit.free_at)
    query = query.where(RateLimit.key.in_([limit.key for limit in limits]))
    free = {row.key: row.free_at for row in connection.execute(query)}
    waits = [limit.wait_s(free.get(limit.key, now), now) for limit in limits]
    longest = max(waits)
    return math.ceil(longest) if longest > 0 else None


def _count(
    database: Database, connection: Connection, limit: Limit, now: float
) -> bool:
    """Count one failure; False where none is left."""
    adding = database.upsert(table(RateLimit))
    adding = adding.values(key=limit.key, free_at=now + limit.interval_s)
    begins = case((RateLimit.free_at > now, RateLimit.free_at), else_=literal(now))
    done = connection.execute(
        adding.on_conflict_do_update(
            index_elements=[RateLimit.key],
            set_={"free_at": begins + limit.interval_s},
            where=RateLimit.free_at <= now + limit.tolerance_s,
        ).returning(RateLimit.key)
    )
    return done.first() is not None


def _sweep(connection: Connection, now: float) -> None:
    """Delete the rows whose allowance is whole, but for those that are in use.

    It comes last in a transaction and waits for no lock: so no two wait for each other.
    """
    whole = select(RateLimit.key).where(RateLimit.free_at < now)
    whole = whole.with_for_update(skip_locked=True)
    connection.execute(delete(RateLimit).where(RateLimit.key.in_(whole)))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:  # a test's, or a socket's of the machine itself
        return address[:40]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed.packed, 64), strict=False))
    return str(parsed)
