"""The console as people see it, in a real browser, from a real server over TLS."""

import os
import re
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect, sync_playwright

from pointctl.folder import DataFolder
from pointctl.registry.accounts import operators
from pointctl.registry.devices import batches, devices, products, search, tags
from pointctl.registry.issuing import lifecycle
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Role
from tests.host.browsing import (
    DARK,
    FAULTS,
    NO_SCRIPT,
    PHONE,
    SCREENSHOTS,
    launch,
    visiting,
)
from tests.host.serving import Server, device_key_board, imei
from tests.host.staff import PASSWORD
from tests.runtimes import need

PRODUCT = "pk-tracker"
ENROLLED, STRANGE = range(12), range(4)
STRANGERS = claim_keys.ClaimKeys(b"a master that the server lacks..")
PAGES = (
    "/",
    "/?span=month",
    "/devices",
    "/import",
    f"/devices/{PRODUCT}/{imei(1)}",
    "/quarantine",
    "/batches",
    "/audit",
    "/operators",
    "/operators/bob",
    "/account",
)


def claim(client, master, serial, number=1):
    """A board's claim, and its acknowledgement."""
    board = device_key_board(serial, PRODUCT, master)
    code, config, _ = board.post(client, board.claim(number))
    if config is not None:
        board.post(client, board.acknowledge(number))
    return code


@pytest.fixture(scope="module")
def chromium(authority):
    """One browser for all; each visit is a new person."""
    need("chromium")
    with sync_playwright() as playwright:
        browser = launch(playwright, authority.server)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, authority):
    """A server with people, and boards that have come and gone."""
    folder = DataFolder(tmp_path_factory.mktemp("fleet") / "data")
    claim_keys.create_master(folder)
    master = claim_keys.open_keys(folder)
    with open_database(folder.registry) as database:
        operators.add(database, "ann", Role.ADMIN, PASSWORD, "test")
        operators.add(database, "bob", Role.VIEWER, PASSWORD, "test")
        products.add(database, "Tracker 4G", product_key=PRODUCT, mqtt_host="mqtt.test")
        batches.add(database, PRODUCT, "A7", "ann", quota=500)
        rows = [devices.validate_row(n, imei(n), None) for n in range(120)]
        devices.register(database, PRODUCT, rows)
        tags.change(database, imei(3), PRODUCT, "ann", add=["pilot"])
        server = Server(folder.path, authority)
        with server.client() as client:
            for serial in ENROLLED:
                assert claim(client, master, serial) == "00000"
            for serial in STRANGE:
                assert claim(client, STRANGERS, serial) == "40101"
            # Six ids that each take the place of one that nobody acknowledged.
            for serial in (20, 21):
                board = device_key_board(serial, PRODUCT, master)
                for number in range(8):
                    board.post(client, board.claim(number))
        yield SimpleNamespace(database=database, server=server, master=master)
        server.stop()


@pytest.fixture
def visit(chromium, fleet):
    """Ann's browser, logged in."""
    with visiting(chromium, fleet.server.url) as made:
        made.log_in("ann", PASSWORD)
        yield made


@pytest.fixture(scope="module", autouse=True)
def say_where(request):
    """Tell the reader of the test's output where the pictures are."""
    yield
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and os.environ.get("POINTCTL_SCREENSHOTS"):
        reporter.write_line(f"\nscreenshots: {SCREENSHOTS}")


def state(fleet, serial):
    """What the registry says of a device."""
    return search.show(fleet.database, imei(serial), PRODUCT)


def test_without_an_operator_it_says_how_to_make_one(chromium, start_server):
    """And the command that it names works."""
    server = start_server()
    with visiting(chromium, server.url) as stranger:
        stranger.go("/")
        command = stranger.page.locator("pre").inner_text()
        assert command == "pointctl operators add NAME --role admin"
        stranger.picture("first-start")


def test_the_page_of_the_api(chromium, fleet):
    """Its viewer is from here, too."""
    with visiting(chromium, fleet.server.url) as visit:
        visit.page.goto(f"{fleet.server.url}/docs")
        operation = visit.page.get_by_text("Put tags on a device")
        expect(operation).to_be_visible()


def test_logging_in_and_out(chromium, fleet):
    """A wrong password is told; after the right one comes what was asked for."""
    with visiting(chromium, fleet.server.url) as visit:
        page = visit.page
        visit.go("/audit?who=ann")
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text(
            "The name or the password is wrong."
        )
        visit.picture("log-in")
        visit.complaints.clear()  # Chromium names the 401
        expect(page.get_by_label("Name")).to_have_value("ann")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/audit?who=ann")
        (cookie,) = page.context.cookies()
        kept = {name: cookie[name] for name in ("httpOnly", "secure", "sameSite")}
        assert kept == {"httpOnly": True, "secure": True, "sameSite": "Strict"}
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("heading", name="Log in").wait_for()
        visit.go("/")
        page.get_by_role("heading", name="Log in").wait_for()


def test_the_overview(visit, fleet):
    """What enrolled is in the chart, what was refused in the table, by themselves."""
    page = visit.page
    chart = page.get_by_role("img", name="enrolments in the last day")
    expect(chart).to_be_visible()
    bars = chart.locator("rect")
    assert 1 <= bars.count() <= 2  # the hour may have changed meanwhile
    titles = " ".join(bars.locator("title").all_text_contents())
    assert sum(map(int, re.findall(r"UTC: (\d+)", titles))) == len(ENROLLED) + 2
    refusals = page.get_by_role("region", name="Refusals")
    expect(
        refusals.get_by_role("row", name=re.compile("40101.*stranger"))
    ).to_be_visible()
    expect(page.get_by_role("link", name="in quarantine")).to_be_visible()
    with fleet.server.client() as client:
        claim(client, fleet.master, 40)
    # It shows by itself, without a click.
    total = f"{len(ENROLLED) + 3}"
    expect(page.locator(".sum strong").first).to_have_text(total)
    visit.picture("overview")
    page.get_by_role("link", name="month").click()
    expect(page.get_by_role("img", name="in the last month")).to_be_visible()


def test_searching(visit):
    """As it is typed, with an address to come back to, and page by page."""
    page = visit.page
    visit.go("/devices")
    rows = page.locator("#found tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("link", name="Next page").click()
    expect(rows).to_have_count(20)
    page.get_by_role("link", name="First page").click()
    expect(rows).to_have_count(50)
    page.wait_for_load_state()  # what is typed before the script runs is not heard
    page.evaluate("window.stayed = true")
    page.get_by_label("IMEI or name").press_sequentially(imei(3)[:14])
    expect(rows).to_have_count(1)
    page.wait_for_url(f"**/console/devices?q={imei(3)[:14]}*")
    assert page.evaluate("window.stayed")
    visit.picture("search")
    page.get_by_label("IMEI or name").fill("")
    page.get_by_label("State").select_option("quarantined")
    expect(rows).to_have_count(2)
    page.get_by_label("State").select_option("")
    page.get_by_label("Tag").fill("pilot")
    expect(rows).to_have_count(1)
    rows.get_by_role("link", name=imei(3)).click()
    page.get_by_role("heading", name=imei(3)).wait_for()
    page.go_back()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Tag")).to_have_value("pilot")


def test_revoking(visit, fleet):
    """With a reason, after a second thought; the board hears of it."""
    page = visit.page
    visit.go(f"/devices/{PRODUCT}/{imei(2)}")
    page.get_by_text("Revoke…").click()
    page.get_by_label("Reason, for the audit").and_(page.locator("#why-revoke")).fill(
        "reported stolen"
    )
    page.get_by_role("button", name=f"Revoke {imei(2)}").click()
    expect(page.get_by_role("status")).to_contain_text("Revoked")
    timeline = page.get_by_role("region", name="Timeline").locator("li").first
    expect(timeline).to_contain_text("revoked")
    expect(timeline).to_contain_text("ann")
    expect(timeline).to_contain_text("reported stolen")
    visit.picture("device")
    assert state(fleet, 2)["state"] == "revoked"
    with fleet.server.client() as client:
        assert claim(client, fleet.master, 2, number=2) == "40302"
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("status")).to_contain_text("Restored")


def test_releasing(visit, fleet):
    """The queue says why they are in it, and gets shorter."""
    page = visit.page
    visit.go("/quarantine")
    cards = page.locator("article")
    expect(cards).to_have_count(2)
    expect(cards.first).to_contain_text("claim superseded")
    visit.picture("quarantine")
    page.get_by_role("button", name=f"Release {imei(20)}").click()
    expect(page.get_by_role("status")).to_contain_text("Released")
    expect(cards).to_have_count(1)
    assert state(fleet, 20)["state"] == "issued"


def test_importing(visit, fleet, tmp_path):
    """First what would be, then for good; wrong lines are named."""
    page = visit.page
    file = tmp_path / "boards.csv"
    file.write_text(f"imei,device_name\n{imei(300)},m1\n{imei(301)[:-1]},m2\n")
    visit.go("/devices")
    page.get_by_role("link", name="Import…").click()
    page.locator("#file").set_input_files(file)
    page.get_by_label("Batch").fill("A7")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing would be added")
    expect(page.get_by_role("region", name="Bad rows")).to_contain_text("3")
    visit.picture("import")
    page.locator("#file").set_input_files(file)
    page.get_by_role("checkbox", name="Skip bad rows").check()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("status")).to_contain_text("1 would be added")
    file.write_text(f"imei,device_name\n{imei(300)},m1\n")
    page.locator("#file").set_input_files(file)
    page.get_by_role("checkbox", name="Only say what").uncheck()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("status")).to_contain_text("1 added")
    assert state(fleet, 300)["batch"] == "A7"
    visit.go("/devices?batch=A7")
    with page.expect_download() as download:
        page.get_by_role("link", name="as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["imei", imei(300)]


def test_tags(visit, fleet):
    """Put on and taken off."""
    page = visit.page
    visit.go(f"/devices/{PRODUCT}/{imei(5)}")
    page.get_by_label("Put on").fill("depot spare")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="depot")).to_be_visible()
    page.get_by_role("checkbox", name="spare").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("checkbox")).to_have_count(1)
    assert state(fleet, 5)["tags"] == ["depot"]


def test_revealing(visit, fleet):
    """For a reason, once, and the audit tells; nothing else ever shows it."""
    page = visit.page
    (secret,) = lifecycle.reveal(
        fleet.database, imei(6), PRODUCT, "test", reason="to compare"
    )
    visit.go(f"/devices/{PRODUCT}/{imei(6)}")
    assert secret not in page.content()
    page.get_by_text("Reveal its secret…").click()
    page.locator("#why-reveal").fill("ticket 4711")
    page.get_by_role("button", name="Reveal the secret").click()
    expect(page.locator("pre.secret")).to_have_text(secret)
    visit.go(f"/devices/{PRODUCT}/{imei(6)}")
    assert secret not in page.content()
    expect(page.get_by_text("ticket 4711")).to_be_visible()
    assert not any(secret in line for line in fleet.server.lines)


def test_batches(visit, fleet):
    """Added with a quota, and given another."""
    page = visit.page
    visit.go("/batches")
    form = page.get_by_role("region", name="Add a batch")
    form.get_by_label("Name").fill("B1")
    form.get_by_label("Quota").fill("10")
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("Added.")
    row = page.get_by_role("row", name="B1")
    row.get_by_text("Change").click()
    row.get_by_label("Quota").fill("0")
    row.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("closed")
    visit.picture("batches")
    form.get_by_label("Name").fill("B1")
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("exists")
    visit.complaints.clear()  # Chromium names the 409


def test_operators(visit, chromium, fleet):
    """Added, given a token that is shown once, and disabled at once."""
    page = visit.page
    visit.go("/operators")
    page.get_by_label("Name").fill("carl")
    page.get_by_label("Role").select_option("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Add").click()
    page.get_by_label("What it is for").fill("ci")
    page.get_by_role("button", name="Make the token").click()
    token = page.locator("pre.secret").inner_text()
    visit.picture("operator")
    headers = {"Authorization": f"Bearer {token}"}
    with fleet.server.client() as client:
        reply = client.get("/api/v1/me", headers=headers)
        assert reply.json() == {"name": "carl/ci", "role": "viewer"}
    with visiting(chromium, fleet.server.url) as carl:
        carl.log_in("carl", PASSWORD)
        visit.go("/operators/carl")
        assert token not in page.content()
        page.get_by_text("Disable…").click()
        page.get_by_role("button", name="Disable carl").click()
        expect(page.get_by_role("status")).to_contain_text("Disabled")
        carl.go("/devices")
        carl.page.get_by_role("heading", name="Log in").wait_for()
    with fleet.server.client() as client:
        assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_a_viewer_looks_only(chromium, fleet):
    """Nothing to press that would be refused."""
    with visiting(chromium, fleet.server.url) as visit:
        visit.log_in("bob", PASSWORD)
        expect(visit.page.get_by_role("link", name="Operators")).to_have_count(0)
        for path in (f"/devices/{PRODUCT}/{imei(7)}", "/quarantine", "/batches"):
            visit.go(path)
            buttons = visit.page.locator("main button, main summary")
            expect(buttons).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "options"),
    [("light", {}), ("dark", DARK), ("phone", PHONE), ("phone-dark", PHONE | DARK)],
)
def test_every_page_can_be_read(chromium, fleet, name, options):
    """Names, labels, headings, contrast and width, for every kind of reader."""
    with visiting(chromium, fleet.server.url, **options) as visit:
        visit.go("/login")
        assert visit.page.evaluate(FAULTS) == []
        visit.log_in("ann", PASSWORD)
        faults = {}
        for number, path in enumerate(PAGES):
            visit.go(path)
            for details in visit.page.locator("main details").all():
                details.evaluate("each => each.open = true")
            faults[path] = visit.page.evaluate(FAULTS)
            visit.picture(f"{name}-{number}-{re.sub('[^a-z]+', '-', path).strip('-')}")
        assert {path: found for path, found in faults.items() if found} == {}
        dark = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", dark))) < 150) == ("dark" in name)


def test_by_keyboard_alone(chromium, fleet):
    """From the log-in to a device: what has the focus can be seen."""
    with visiting(chromium, fleet.server.url) as visit:
        keyboard, page = visit.page.keyboard, visit.page
        visit.go("/devices")
        keyboard.type("ann")  # the first field has the focus
        keyboard.press("Tab")
        keyboard.type(PASSWORD)
        keyboard.press("Enter")
        page.wait_for_url("**/console/devices")
        keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
        keyboard.press("Enter")
        keyboard.press("Tab")
        expect(page.get_by_role("link", name="Import…")).to_be_focused()
        keyboard.press("Tab")
        expect(page.get_by_label("IMEI or name")).to_be_focused()
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        keyboard.type(imei(8))
        expect(page.locator("#found tbody tr")).to_have_count(1)
        for _ in range(20):
            keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == imei(8):
                break
        keyboard.press("Enter")
        page.get_by_role("heading", name=imei(8)).wait_for()


def test_without_script(chromium, fleet):
    """All of it is plain links and forms."""
    with visiting(chromium, fleet.server.url, **NO_SCRIPT) as visit:
        visit.log_in("ann", PASSWORD)
        page = visit.page
        visit.go("/devices")
        page.get_by_label("IMEI or name").fill(imei(21))
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name=imei(21)).click()
        page.get_by_role("button", name="Release").click()
        expect(page.get_by_role("status")).to_contain_text("Released")


def test_a_session_that_ended_asks_again(visit, fleet):
    """Also where only a part of the page is loaded."""
    visit.page.context.clear_cookies()
    visit.page.get_by_role("heading", name="Log in").wait_for()
    visit.complaints.clear()  # Chromium names the 401
    assert "to=" in visit.page.url
