"""Checks of the registry: revision, keys, products, pools, operators, clock."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

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


def check_registry(database: Database, folder: DataFolder) -> Iterator[Finding]:
    """Run all checks, unless the database is unreachable or of another revision."""
    try:
        revision, head = maintenance.read_revision(database), schema.head()
    except PointctlError as error:
        yield wrong(
            "database", str(error), "start the database, or name it with --database"
        )
        return
    if revision != head:
        remedy = "pointctl db backup, then pointctl db upgrade"
        yield wrong(
            "database", f"its revision is {revision}, this program needs {head}", remedy
        )
        return
    yield ok("database", f"{database.where}, revision {revision}")
    yield from _check_connection(database.url)
    yield from _check_claim_master(database, folder)
    yield from _check_database_key(database, folder)
    yield from _check_products(database)
    yield from _check_pools(database)
    yield from _check_operators(database)
    yield from _check_clock(database)


def _check_connection(url: URL) -> Iterator[Finding]:
    """Check that a remote database is verified, as it is unless the URL disables it."""
    mode = url.query.get("sslmode")
    is_remote = url.host and url.host not in ("localhost", "127.0.0.1", "::1")
    if is_remote and mode is not None and mode not in _VERIFIED:
        yield weak(
            "database connection",
            f"with sslmode={mode} any server can pretend to be {url.host}",
            "set sslmode=verify-full and sslrootcert in the URL",
        )


def _check_claim_master(database: Database, folder: DataFolder) -> Iterator[Finding]:
    try:
        claim_keys.open_keys(folder)
    except PointctlError as error:
        if products.needs_claim_master(database):
            remedy = "restore it from its safe copy"
            yield wrong("claim master", str(error), remedy)
        else:
            yield ok("claim master", "none, and no product needs one")
    else:
        yield ok("claim master", "it exists; keep a copy in a safe place")


def _check_database_key(database: Database, folder: DataFolder) -> Iterator[Finding]:
    try:
        found = rotation.read_status(database)
        entry = keystore.SecretEntry(folder.database_key).read()
    except PointctlError as error:
        yield wrong("database key", str(error), "restore it from its safe copy")
        return
    if not found["present"]:
        remedy = "restore it from its safe copy"
        yield wrong("database key", f"the key {found['key']} is missing", remedy)
        return
    is_beside = database.file is not None and database.file.parent == folder.path
    is_in_file = VARIABLE not in os.environ and folder.database_key.exists()
    if entry and is_in_file and is_beside:
        yield weak(
            "database key",
            "it is beside the database: a copy of the folder has both",
            f"give it in {VARIABLE}, for example by systemd's EnvironmentFile",
        )
    else:
        yield ok("database key", f"{found['key']}, not stored beside the database")
    if found["under_others"]:
        count = found["under_others"]
        yield weak(
            "database key", f"{count} secrets are encrypted under older keys", _ROTATE
        )


def _check_products(database: Database) -> Iterator[Finding]:
    found = False
    for product in products.list_products(database):
        name = f"product {product.product_key}"
        if product.policy is Policy.OPEN:
            found = True
            yield weak(
                name,
                "policy open: whoever knows an IMEI can get its credential",
                "make a product with the policy device-key for boards that can sign",
            )
        if product.mqtt_ssl is False:
            found = True
            yield weak(
                name,
                "MQTT without TLS: others on the network can read credentials",
                "set up TLS on the broker, and give devices that address",
            )
    if not found:
        yield ok("products", "all boards prove who they are, and use MQTT with TLS")


def _check_pools(database: Database) -> Iterator[Finding]:
    for pool in overview.count_pools(database):
        name = f"pool of {pool['product_key']}"
        if not pool["left"]:
            yield wrong(
                name,
                "it is empty: claims are refused with 50301",
                "pointctl pool import",
            )
        elif pool["low"]:
            yield weak(name, f"{pool['left']} credentials left", "pointctl pool import")


def _check_operators(database: Database) -> Iterator[Finding]:
    active = [
        each for each in operators.list_operators(database) if each.disabled_at is None
    ]
    if any(each.role is Role.ADMIN for each in active):
        yield ok("operators", f"{len(active)}, at least one is an admin")
    else:
        yield weak(
            "operators",
            "there is no admin, so nobody can manage operators in the console",
            "pointctl operators add NAME --role admin",
        )


def _check_clock(database: Database) -> Iterator[Finding]:
    """Check that the clock is not before the last entry of the audit."""
    with database.snapshot() as session:
        last = session.scalar(select(func.max(AuditEntry.at)))
    now = datetime.now(UTC)
    if last and last > now + _AHEAD:
        yield wrong(
            "clock",
            f"it shows {now:%Y-%m-%d %H:%M}, but the last entry of the audit is of "
            f"{last:%Y-%m-%d %H:%M}",
            "set the clock, and keep it right by NTP",
        )
    else:
        yield ok(
            "clock", f"{now:%Y-%m-%d %H:%M} UTC, not before the last entry of the audit"
        )
