"""The registry's side: tables, keys, products, operators, the clock."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, func, select

from pointctl.doctor.findings import Finding, ok, weak, wrong
from pointctl.errors import PointctlError
from pointctl.folder import DataFolder
from pointctl.registry.accounts import operators
from pointctl.registry.devices import overview, products
from pointctl.registry.keys import claim_keys, rotation
from pointctl.registry.storage import keystore, maintenance, schema
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import AuditEntry, Policy, Role
from pointctl.registry.storage.vault import VARIABLE

_AHEAD = timedelta(minutes=5)
_ROTATE = "pointctl keys rotate-database"
_VERIFIED = ("verify-full", "verify-ca")


def registry(database: Database, folder: DataFolder) -> Iterator[Finding]:
    """All of it; only that it is unreachable, or of another revision, if it is."""
    try:
        revision, head = maintenance.read_revision(database), schema.head()
    except PointctlError as error:
        yield wrong("database", str(error), "start it, or name it with --database")
        return
    if revision != head:
        remedy = "pointctl db backup, then pointctl db upgrade"
        yield wrong("database", f"revision {revision} is not {head}", remedy)
        return
    yield ok("database", f"{database.where}, revision {revision}")
    yield from _connection(database.url)
    yield from _claim_master(database, folder)
    yield from _database_key(database, folder)
    yield from _products(database)
    yield from _pools(database)
    yield from _operators(database)
    yield from _clock(database)


def _connection(url: URL) -> Iterator[Finding]:
    """One elsewhere is to be verified, as it is unless the URL says otherwise."""
    mode = url.query.get("sslmode")
    elsewhere = url.host and url.host not in ("localhost", "127.0.0.1", "::1")
    if elsewhere and mode is not None and mode not in _VERIFIED:
        yield weak(
            "database connection",
            f"sslmode={mode} trusts whoever answers as {url.host}",
            "sslmode=verify-full, with sslrootcert",
        )


def _claim_master(database: Database, folder: DataFolder) -> Iterator[Finding]:
    try:
        claim_keys.open_keys(folder)
    except PointctlError as error:
        if products.needs_claim_master(database):
            remedy = "bring it back from its safe place"
            yield wrong("claim master", str(error), remedy)
        else:
            yield ok("claim master", "none, and no product needs one")
    else:
        yield ok("claim master", "there; is there a copy in a safe place?")


def _database_key(database: Database, folder: DataFolder) -> Iterator[Finding]:
    try:
        found = rotation.read_status(database)
        entry = keystore.SecretEntry(folder.database_key).read()
    except PointctlError as error:
        yield wrong("database key", str(error), "bring it back from its safe place")
        return
    if not found["present"]:
        remedy = "bring it back from its safe place"
        yield wrong("database key", f"{found['key']} is not there", remedy)
        return
    beside = Path(database.url.database or "").parent == folder.path
    in_file = VARIABLE not in os.environ and folder.database_key.exists()
    if entry and in_file and beside and database.url.get_backend_name() == "sqlite":
        yield weak(
            "database key",
            "beside the database: a copy of the folder has both",
            f"give it in {VARIABLE}, as from an EnvironmentFile of systemd's",
        )
    else:
        yield ok("database key", f"{found['key']}, apart from the database")
    if found["under_others"]:
        count = found["under_others"]
        yield weak("database key", f"{count} secrets are under others", _ROTATE)


def _products(database: Database) -> Iterator[Finding]:
    found = False
    for product in products.list_products(database):
        name = f"product {product.product_key}"
        if product.policy is Policy.OPEN:
            found = True
            yield weak(
                name,
                "policy open: who knows an IMEI is given its credential",
                "a product of the policy device-key for boards that can sign",
            )
        if product.mqtt_ssl is False:
            found = True
            yield weak(
                name,
                "MQTT without TLS: credentials cross the network readable",
                "let the broker listen with TLS, and devices use it",
            )
    if not found:
        yield ok("products", "boards prove who they are")


def _pools(database: Database) -> Iterator[Finding]:
    for pool in overview.count_pools(database):
        name = f"pool of {pool['product_key']}"
        if not pool["left"]:
            yield wrong(name, "dry: claims get 50301", "pointctl pool import")
        elif pool["low"]:
            yield weak(name, f"{pool['left']} credentials left", "pointctl pool import")


def _operators(database: Database) -> Iterator[Finding]:
    active = [
        each for each in operators.list_operators(database) if each.disabled_at is None
    ]
    if any(each.role is Role.ADMIN for each in active):
        yield ok("operators", f"{len(active)}, and an admin among them")
    else:
        yield weak(
            "operators",
            "no admin: nobody can manage them in the console",
            "pointctl operators add NAME --role admin",
        )


def _clock(database: Database) -> Iterator[Finding]:
    """It cannot be earlier than what was done already."""
    with database.snapshot() as session:
        last = session.scalar(select(func.max(AuditEntry.at)))
    now = datetime.now(UTC)
    if last and last > now + _AHEAD:
        yield wrong(
            "clock",
            f"it says {now:%Y-%m-%d %H:%M}, but the audit goes on to "
            f"{last:%Y-%m-%d %H:%M}",
            "set it, and keep it set by NTP",
        )
    else:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M} UTC, not before the audit's end")
