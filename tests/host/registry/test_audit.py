"""The audit: entries are added, and nothing in the database changes or removes one."""

import pytest
from sqlalchemy import text

from pointctl.errors import PointctlError
from pointctl.registry import audit
from pointctl.registry.devices import devices, search
from pointctl.registry.storage.database import DatabaseError
from tests.host.serving import ON_BOTH, PRODUCT, imei, issue

pytestmark = ON_BOTH


def entries(database):
    return audit.list_entries(database, limit=1000)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'nobody'",
        "UPDATE audit SET note = NULL WHERE id = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE id = 1",
        "INSERT OR REPLACE INTO audit (id, at, who, what) VALUES (1, '', 'x', 'y')",
        "INSERT INTO audit (id, at, who, what) VALUES (1, '2026-01-01', 'x', 'y') "
        "ON CONFLICT (id) DO UPDATE SET who = 'x'",
        "TRUNCATE audit",
        "TRUNCATE audit CASCADE",
        "DELETE FROM devices",
    ],
)
def test_entries_stay_as_they_are(database, statement):
    """Whatever the database offers to somebody who may write to it."""
    issue(database, 0)
    before = entries(database)
    with pytest.raises(DatabaseError), database.exclusive() as session:
        session.execute(text(statement))
    assert entries(database) == before


def test_what_is_listed(database):
    """Newest first and page by page, all of it or what somebody did."""
    for serial in range(3):
        issue(database, serial)
    with database.exclusive() as session:
        connection = session.connection()
        for number in range(5):
            audit.record_other(connection, "product x", "tried", "ann", str(number))
    newest = audit.list_entries(database, limit=2)
    older = audit.list_entries(database, before=newest[-1]["id"], limit=4)
    notes = [entry["note"] for entry in (*newest, *older)]
    assert notes == ["4", "3", "2", "1", "0", None]
    assert (older[-1]["imei"], older[-1]["product_key"]) == (imei(2), PRODUCT)
    assert len(audit.list_entries(database, who="ann", limit=9)) == 5
    assert audit.list_entries(database, who="bob", limit=9) == []
    mine = audit.list_entries(database, who="ann", what="tried", limit=9)
    assert {entry["subject"] for entry in mine} == {"product x"}
    issued = audit.list_entries(database, who=audit.SERVER, what="issued", limit=9)
    assert [entry["imei"] for entry in issued] == [imei(2), imei(1), imei(0)]


def test_a_device_s_entries(database):
    """Oldest first, and its own only."""
    issue(database, 0)
    issue(database, 1)
    with database.exclusive() as session:
        device = devices.find(session, imei(0))
        for _ in range(2):
            audit.record_once(session.connection(), device.id, "seen", "ann")
    found = [entry["what"] for entry in search.read_history(database, imei(0))]
    assert found == ["issued", "seen"]


@pytest.mark.parametrize("reason", [None, "", "two\nlines", "x" * 201, "\0"])
def test_what_is_no_reason(database, reason):
    """It is a line for a person to read."""
    with pytest.raises(PointctlError, match="give a reason"):
        audit.check_reason(reason)
    assert audit.check_reason("RMA 4711") == "RMA 4711"
