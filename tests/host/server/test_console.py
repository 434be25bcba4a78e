"""The console, in this process: its headers, its forms, and what it never shows."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from pointctl.registry import audit
from pointctl.registry.accounts import tokens
from pointctl.registry.devices import batches, devices, overview, refusal_counts
from pointctl.registry.devices.overview import EnrolmentStep, Span
from pointctl.registry.storage.database import DatabaseError
from pointctl.registry.storage.models import Refusals, Role, State
from pointctl.server import api, console
from pointctl.server.console.chart import HEIGHT, draw_chart
from pointctl.server.console.session_dependency import COOKIE
from pointctl.web.routing import list_routes
from tests.host.serving import ON_BOTH, PRODUCT, imei, issue, product_secret
from tests.host.staff import PASSWORD, hire

ONE = f"/console/devices/{PRODUCT}/{imei(1)}"


@pytest.fixture
def staff(database, monkeypatch):
    """Operators of each role."""
    return hire(database, monkeypatch)


@pytest.fixture
def admin(staff):
    """An admin's browser."""
    client, _ = staff.browser(Role.ADMIN)
    return client


def test_every_reply_tells_the_browser_what_to_refuse(admin, staff):
    """Pages, errors, files and redirections."""
    for client, path in (
        (admin, "/console/"),
        (admin, "/console/nothing"),
        (admin, f"/console/devices/{PRODUCT}/{imei(99)}"),
        (admin, "/console/devices?state=lost"),
        (staff.stranger(), "/console/devices"),
        (staff.stranger(), "/console/static/console.css"),
        (staff.stranger(), "/console/login"),
    ):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] in ("no-store", "no-cache")


def test_no_page_holds_script_or_style(admin):
    """What the policy would refuse is not there."""
    for route in list_routes(console.ROUTERS):
        if "GET" in (route.methods or ()) and "{name}" not in route.path:
            text = admin.get("/console" + _path(route)).text
            assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", text)


def _path(route):
    values = {"product_key": PRODUCT, "imei": imei(1), "name": "viewer"}
    return re.sub(r"{(\w+)}", lambda match: values[match[1]], route.path)


def test_nothing_shows_a_secret(admin, staff, database):
    """No page, no reply of the API, neither to an admin."""
    device = issue(database, 1)["device"]
    token = tokens.add(database, "viewer", "ci", Role.VIEWER, 1, "test")
    secrets = (
        device["deviceSecret"],
        product_secret(database, PRODUCT),
        token,
        "$argon2",
        admin.cookies[COOKIE],
    )
    batches.add(database, PRODUCT, "viewer", "test")
    program = staff.program(Role.ADMIN)
    texts = [
        admin.get("/console" + _path(route)).text
        for route in list_routes(console.ROUTERS)
        if "GET" in (route.methods or ())
    ]
    texts += [
        program.get(_path(route)).text
        for route in list_routes(api.ROUTERS)
        if "GET" in (route.methods or ())
    ]
    assert len(texts) > 15
    for text in texts:
        assert not any(secret in text for secret in secrets)


def test_a_secret_is_shown_once_for_a_reason(staff, database):
    """To an admin who says why; the audit says so."""
    secret = issue(database, 1)["device"]["deviceSecret"]
    client, csrf = staff.browser(Role.ADMIN)
    empty = client.post(f"{ONE}/reveal", data={"csrf": csrf, "reason": " "})
    assert (empty.status_code, secret in empty.text) == (422, False)
    shown = client.post(f"{ONE}/reveal", data={"csrf": csrf, "reason": "ticket 7"})
    assert secret in shown.text
    assert shown.headers["cache-control"] == "no-store"
    assert secret not in client.get(ONE).text
    newest = audit.list_entries(database, limit=1)[0]
    assert (newest["what"], newest["note"]) == ("revealed", "ticket 7")


@pytest.mark.parametrize(
    ("to", "leads"),
    [
        ("/console/audit?who=ann", "/console/audit?who=ann"),
        ("https://evil.test/", "/console/"),
        ("//evil.test/console/", "/console/"),
        ("/console/\\evil", "/console/"),
        ("/console/\r\nSet-Cookie: a=b", "/console/"),
        ("/other", "/console/"),
    ],
)
def test_after_logging_in_it_stays_here(staff, to, leads):
    """Whoever made the link."""
    data = {"name": "viewer", "password": PASSWORD, "to": to}
    reply = staff.stranger().post("/console/login", data=data)
    assert (reply.status_code, reply.headers["location"]) == (303, leads)
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith("__Host-pointctl=")
    for flag in ("HttpOnly", "Secure", "Path=/", "SameSite=strict"):
        assert flag in cookie


def test_guessing_passwords_is_slow(staff):
    """It says how long to wait, to programs too; the right one is not tried then."""
    client = staff.stranger()
    wrong = {"name": "viewer", "password": "wrong"}
    for _ in range(10):
        assert client.post("/console/login", data=wrong).status_code == 401
    right = {"name": "viewer", "password": PASSWORD}
    reply = client.post("/console/login", data=right)
    assert reply.status_code == 429
    assert 0 < int(reply.headers["retry-after"]) <= 6
    assert "set-cookie" not in reply.headers


def test_ones_own_password(staff):
    """Only with the present one; then everybody logs in anew."""
    client, csrf = staff.browser(Role.VIEWER)
    new = "another good password"
    for data, status in (
        ({"present": "wrong", "new": new, "again": new}, 403),
        ({"present": PASSWORD, "new": new, "again": new + "!"}, 422),
        ({"present": PASSWORD, "new": "short", "again": "short"}, 422),
        ({"present": PASSWORD, "new": new, "again": new}, 303),
    ):
        reply = client.post("/console/account", data={"csrf": csrf, **data})
        assert reply.status_code == status
    assert client.get("/console/").status_code == 303
    data = {"name": "viewer", "password": new}
    assert client.post("/console/login", data=data).status_code == 303


def test_parts_of_pages(admin, staff):
    """htmx gets the part that changes; who is logged out by then is sent to log in."""
    htmx = {"HX-Request": "true"}
    for path in ("/console/", "/console/devices", "/console/audit"):
        part = admin.get(path, headers=htmx)
        assert "<html" not in part.text
        assert "<html" in admin.get(path).text
        assert part.headers["vary"] == "HX-Request"
    reply = staff.stranger().get("/console/devices?q=1", headers=htmx)
    assert reply.status_code == 401
    assert reply.headers["hx-redirect"] == (
        "/console/login?to=%2Fconsole%2Fdevices%3Fq%3D1"
    )


def test_what_was_typed_stays_text(admin, staff, database):
    """In the page, in attributes, in links and in errors."""
    nasty = "\"><script>alert('1')</script>"
    for path in ("devices?q=", "devices?tag=", "audit?who=", "login?to=/console/"):
        text = admin.get(f"/console/{path}{nasty}").text
        assert "<script>alert" not in text
    client, csrf = staff.browser(Role.OPERATOR)
    client.post(f"{ONE}/lock", data={"csrf": csrf, "reason": nasty})
    text = client.get(ONE).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


@ON_BOTH
def test_errors_are_pages(admin):
    """With a way back."""
    for path, status in (
        ("/console/nothing", 404),
        (f"/console/devices/{PRODUCT}/{imei(99)}", 404),
        ("/console/devices?after=rubbish", 422),
        ("/console/static/secrets", 404),
    ):
        reply = admin.get(path)
        assert (reply.status_code, "To the overview" in reply.text) == (status, True)


def test_the_front_door_leads_to_the_console(staff):
    """Who opens the server's address sees something."""
    assert staff.stranger().get("/").headers["location"] == "/console/"


@pytest.mark.parametrize(
    ("counts", "top"),
    [([0], 4), ([4], 4), ([5], 8), ([9], 20), ([21], 40), ([100], 200), ([999], 2000)],
)
def test_the_scale_of_the_chart(counts, top):
    """Round, in four whole parts, and never too low."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    steps = [
        EnrolmentStep(now + timedelta(hours=n), counts[-1] * n // 23) for n in range(24)
    ]
    chart = draw_chart(steps, Span.DAY)
    assert (chart.top, chart.total) == (top, sum(step.count for step in steps))
    for bar in chart.bars:
        assert bar.y + bar.height == pytest.approx(HEIGHT, abs=0.02)
        assert bar.height == pytest.approx(HEIGHT * bar.count / top, abs=0.02)
    assert len(chart.labels) == 4


@ON_BOTH
@pytest.mark.parametrize("span", Span)
def test_enrolments_are_in_their_step(database, span):
    """The last step is now; what is older than the span is in none."""
    issue(database, 1)
    counts = [step.count for step in overview.count_enrolments(database, span)]
    assert counts == [0] * (len(counts) - 1) + [1]


@ON_BOTH
def test_a_large_registry_is_counted_every_ten_seconds_only(database, monkeypatch):
    """A small one each time; each span for itself."""
    monkeypatch.setattr(overview, "_MANY", 11)
    figures = overview.FleetCounts(database)
    assert figures.count_states()[State.REGISTERED] == 10
    issue(database, 1)
    assert figures.count_states()[State.ISSUED] == 1
    assert figures.count_enrolments(Span.DAY)[-1].count == 1
    devices.register(database, PRODUCT, [devices.ImportRow(1, imei(70), None)])
    assert sum(figures.count_states().values()) == 11
    assert figures.count_enrolments(Span.WEEK)[-1].count == 1
    issue(database, 2)
    assert figures.count_states()[State.ISSUED] == 1
    assert figures.count_enrolments(Span.WEEK)[-1].count == 1
    assert figures.count_enrolments(Span.MONTH)[-1].count == 2
    monkeypatch.setattr(overview, "_KEPT_S", 0)
    later = overview.FleetCounts(database)
    for issued in (2, 3):
        assert later.count_states()[State.ISSUED] == issued
        issue(database, issued + 1)


@ON_BOTH
def test_refusals_are_counted(database):
    """By hour, known product and code; several processes add to the same rows."""
    one, other = (
        refusal_counts.RefusalCounter(database),
        refusal_counts.RefusalCounter(database),
    )
    for counted in (one, other):
        counted.add(PRODUCT, "40101")
        counted.add("pk-unknown", "40101")
        counted.add(None, "40001")
        counted.write()
        counted.write()
    with database.snapshot() as session:
        rows = session.scalars(select(Refusals)).all()
        found = {(row.product_key, row.code): row.count for row in rows}
    assert found == {(PRODUCT, "40101"): 2, ("", "40101"): 2, ("", "40001"): 2}
    since = refusal_counts.since(database, overview.find_span_start(Span.DAY))
    assert since == [{"code": "40101", "count": 4}, {"code": "40001", "count": 2}]


def test_refusals_take_no_more_memory_than_this(database):
    """Strangers may name a million products."""
    counted = refusal_counts.RefusalCounter(database)
    for number in range(5000):
        counted.add(f"pk{number}", "40101")
    assert len(counted._counts) <= 1001
    counted.write()
    assert refusal_counts.since(database, overview.find_span_start(Span.DAY)) == [
        {"code": "40101", "count": 5000}
    ]


@ON_BOTH
def test_old_refusals_go(database):
    """After ninety days."""
    with database.exclusive() as session:
        hour = datetime.now(UTC) - refusal_counts.KEEP - timedelta(hours=2)
        session.add(Refusals(hour=hour, product_key="", code="40101", count=1))
    counted = refusal_counts.RefusalCounter(database)
    counted.add(None, "40001")
    counted.write()
    assert len(refusal_counts.since(database, hour)) == 1


def test_boards_are_served_when_refusals_cannot_be_counted(staff, monkeypatch, log):
    """The log says it; the reply is as ever."""

    def fail(_counted):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(refusal_counts.RefusalCounter, "write", fail)
    with staff.stranger() as client:
        body = json.dumps({"imei": imei(99)})
        assert client.post("/v1/access", content=body).status_code == 401
    assert "refusals not counted" in log.getvalue()
