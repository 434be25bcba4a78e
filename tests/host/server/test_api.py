"""The API for programs: what it says, refuses, pages through and ties to a version."""

import importlib
import json
import pkgutil

import pytest

from pointctl.registry.devices import batches, devices, products, search
from pointctl.registry.storage.models import Role
from pointctl.server.api import models
from pointctl.server.api.models.devices import DeviceRow, DeviceShown
from pointctl.server.api.models.products import ProductRow
from tests.host.serving import LIFE, ON_BOTH, PRODUCT, imei, issue
from tests.host.staff import hire

ONE = f"/api/v1/products/{PRODUCT}/devices/{imei(1)}"
PROBLEM = "application/problem+json"


@pytest.fixture
def staff(database, monkeypatch):
    """Operators of each role."""
    return hire(database, monkeypatch)


@pytest.fixture
def admin(staff):
    """An admin's program."""
    return staff.program(Role.ADMIN)


def problem(reply, status):
    """The body of a problem."""
    assert reply.status_code == status
    assert reply.headers["content-type"] == PROBLEM
    body = reply.json()
    assert body["status"] == status
    assert body["title"]
    return body


def test_who_calls(staff):
    """A token is its operator's, under its label."""
    reply = staff.program(Role.OPERATOR).get("/api/v1/me")
    assert reply.json() == {"name": "operator/t0", "role": "operator"}


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer x", "Basic YTpi", "Bearer pointctl_", "x" * 9000]
)
def test_strangers(staff, header):
    """One answer for all."""
    headers = {"Authorization": header} if header else {}
    reply = staff.stranger().get("/api/v1/me", headers=headers)
    assert problem(reply, 401)["detail"].startswith("the token is missing")
    assert reply.headers["www-authenticate"] == "Bearer"


def test_problems(admin):
    """Every refusal is one, and none repeats what was sent."""
    problem(admin.get("/api/v1/nothing"), 404)
    reply = admin.delete("/api/v1/devices")
    problem(reply, 405)
    assert reply.headers["allow"] == "GET"
    reply = admin.delete("/api/v1/operators")
    assert reply.headers["allow"] == "GET, POST"
    unknown = f"/api/v1/products/{PRODUCT}/devices/{imei(99)}"
    assert "not registered" in problem(admin.get(unknown), 404)["detail"]
    body = {"name": "eve", "password": "too short!!", "more": 1}
    invalid = problem(admin.post("/api/v1/operators", json=body), 422)
    where = {each["where"] for each in invalid["errors"]}
    assert where == {"body/password", "body/more"}
    assert "too short" not in json.dumps(invalid)
    not_json = {"content": b"{", "headers": {"Content-Type": "application/json"}}
    problem(admin.post("/api/v1/operators", **not_json), 422)
    problem(admin.post("/api/v1/operators", json={"name": "a", "role": 1}), 422)


@pytest.mark.parametrize("sent", ['"1"', "1.0", "true", "null", "[]"])
def test_numbers_are_numbers(admin, sent):
    """Nothing is taken for something else."""
    content = f'{{"label": "x", "days": {sent}}}'
    url = "/api/v1/operators/viewer/tokens"
    headers = {"Content-Type": "application/json"}
    problem(admin.post(url, content=content, headers=headers), 422)


@ON_BOTH
def test_pages(admin, database):
    """Each device once, in the order of registration; the header says the same."""
    seen: list[str] = []
    url: str | None = "/api/v1/devices?limit=4"
    while url:
        reply = admin.get(url)
        page = reply.json()
        seen += [each["imei"] for each in page["items"]]
        url = reply.links["next"]["url"] if page["next"] else None
        assert bool(url) == ("link" in reply.headers)
    assert seen == [imei(n) for n in range(10)]
    problem(admin.get("/api/v1/devices?after=x"), 422)
    problem(admin.get("/api/v1/devices?limit=0"), 422)


@ON_BOTH
def test_finding(admin, database):
    """By how the IMEI begins, by product and by state, and by several at once."""
    issue(database, 3)

    def found(**filters):
        return [
            each["imei"]
            for each in admin.get("/api/v1/devices", params=filters).json()["items"]
        ]

    assert found(state="issued") == found(q=imei(3)[:14]) == [imei(3)]
    assert len(found(product=PRODUCT)) == 10
    assert found(product="other") == found(state="revoked") == []
    assert found(q=imei(3), state="registered") == []
    problem(admin.get("/api/v1/devices", params={"state": "lost"}), 422)
    problem(admin.get("/api/v1/devices", params={"q": "a\0"}), 422)


def test_registering(admin, database):
    """Again changes nothing; a wrong IMEI and a taken name are told."""
    url = f"/api/v1/products/{PRODUCT}/devices"
    made = admin.post(url, json={"imei": imei(50), "device_name": "meter"})
    assert made.status_code == 201
    assert made.json()["created_by"] == "admin/t0"
    assert admin.get(made.headers["location"]).json() == made.json()
    again = admin.post(url, json={"imei": imei(50)})
    assert (again.status_code, again.json()) == (200, made.json())
    wrong = imei(50)[:14] + str((int(imei(50)[14]) + 1) % 10)
    assert "check" in problem(admin.post(url, json={"imei": wrong}), 422)["detail"]
    taken = {"imei": imei(51), "device_name": "meter"}
    assert "taken" in problem(admin.post(url, json=taken), 422)["detail"]


@ON_BOTH
def test_a_change_is_tied_to_what_was_seen(admin, database):
    """By the ETag, if it is given: whoever comes second looks again."""
    seen = admin.get(ONE).headers["etag"]
    why = {"reason": "stolen"}
    done = admin.post(f"{ONE}/revoke", json=why, headers={"If-Match": seen})
    assert done.json()["state"] == "revoked"
    assert done.headers["etag"] != seen
    late = admin.post(f"{ONE}/restore", headers={"If-Match": seen})
    assert "changed meanwhile" in problem(late, 412)["detail"]
    problem(admin.post(f"{ONE}/restore", headers={"If-Match": "rubbish"}), 422)
    assert admin.post(f"{ONE}/restore", headers={"If-Match": "*"}).status_code == 200
    problem(admin.post(f"{ONE}/restore"), 409)
    (restored, revoked) = search.show(database, imei(1), PRODUCT)["history"]
    assert (restored["who"], revoked["who"]) == ("admin/t0", "admin/t0")
    assert revoked["note"] == "stolen"


@ON_BOTH
@pytest.mark.parametrize(
    ("path", "first", "second"),
    [
        (f"/api/v1/products/{PRODUCT}", {"mqtt_port": 8884}, {"mqtt_port": 8885}),
        (f"/api/v1/products/{PRODUCT}/batches/A7", {"quota": 5}, {"quota": 6}),
        ("/api/v1/operators/viewer", {"role": "operator"}, {"role": "viewer"}),
    ],
    ids=["product", "batch", "operator"],
)
def test_so_is_every_change(admin, database, path, first, second):
    """Products, batches and operators, too; and what is done by itself is no change."""
    batches.add(database, PRODUCT, "A7", "op")
    devices.register(
        database, PRODUCT, [devices.ImportRow(1, imei(70), None)], batch="A7"
    )
    seen = admin.get(path).headers["etag"]
    issue(database, 70)
    assert admin.get(path).headers["etag"] == seen
    done = admin.patch(path, json=first, headers={"If-Match": seen})
    assert done.status_code == 200
    assert done.headers["etag"] == admin.get(path).headers["etag"] != seen
    late = admin.patch(path, json=second, headers={"If-Match": seen})
    assert "changed meanwhile" in problem(late, 412)["detail"]
    assert admin.get(path).json() == done.json()
    problem(admin.patch(path, json=second, headers={"If-Match": "rubbish"}), 422)
    anyway = admin.patch(path, json=second, headers={"If-Match": "*"})
    assert anyway.status_code == 200
    again = admin.patch(path, json=first, headers={"If-Match": anyway.headers["etag"]})
    assert again.headers["etag"] == done.headers["etag"]
    assert admin.patch(path, json=second).status_code == 200
    problem(admin.patch(path + "x", json=second, headers={"If-Match": seen}), 404)
    problem(admin.get(path + "x"), 404)


def test_what_is_added_says_where_it_is(admin):
    """And which version it is."""
    for url, new in (
        ("/api/v1/products", {"name": "T", "mqtt_host": "h"}),
        (f"/api/v1/products/{PRODUCT}/batches", {"name": "B"}),
        ("/api/v1/operators", {"name": "eve"}),
    ):
        made = admin.post(url, json=new)
        assert made.status_code == 201
        shown = admin.get(made.headers["location"])
        assert shown.json() == made.json()
        assert shown.headers["etag"] == made.headers["etag"]


@ON_BOTH
def test_the_whole_life(admin, database):
    """Every action, in an order that works."""
    issue(database, 1)
    for action, state in LIFE:
        reply = admin.post(f"{ONE}/{action}")
        assert (reply.status_code, reply.json()["state"]) == (200, state), action


def test_tags(admin):
    """Put on and taken off; what is no tag is told."""
    url = f"{ONE}/tags"
    assert admin.patch(url, json={"add": ["b", "a"]}).json() == {"tags": ["a", "b"]}
    assert admin.patch(url, json={"remove": ["b", "c"]}).json() == {"tags": ["a"]}
    assert admin.get(ONE).json()["tags"] == ["a"]
    problem(admin.patch(url, json={"add": ["a b"]}), 422)


def test_revealing_needs_a_reason(admin, database):
    """And is audited; nothing else ever tells a secret."""
    secret = issue(database, 1)["device"]["deviceSecret"]
    problem(admin.post(f"{ONE}/reveal"), 422)
    problem(admin.post(f"{ONE}/reveal", json={"reason": ""}), 422)
    reply = admin.post(f"{ONE}/reveal", json={"reason": "ticket 4711"})
    assert reply.json() == {"device_secrets": [secret]}
    assert reply.headers["cache-control"] == "no-store"
    newest = admin.get("/api/v1/audit?limit=1").json()["items"][0]
    told = {name: newest[name] for name in ("who", "what", "note", "imei")}
    assert told == {
        "who": "admin/t0",
        "what": "revealed",
        "note": "ticket 4711",
        "imei": imei(1),
    }


def csv(client, url, text, **query):
    """Send a file."""
    headers = {"Content-Type": "text/csv"}
    return client.post(url, content=text, headers=headers, params=query)


@ON_BOTH
def test_importing(admin, database):
    """All or none, the same again, and what would be."""
    url = f"/api/v1/products/{PRODUCT}/import/devices"
    admin.post(f"/api/v1/products/{PRODUCT}/batches", json={"name": "A7"})
    good = f"imei,device_name,tags\n{imei(50)},m1,a b\n{imei(51)},m2,\n"
    bad = f"{good}{imei(52)[:-1]},m3,\n{imei(53)},m1,\n"
    told = {"added": 2, "unchanged": 0, "bad_count": 0, "bad": []}
    assert csv(admin, url, good, dry_run=True).json() == told
    refused = problem(csv(admin, url, bad), 422)
    assert [each["where"] for each in refused["errors"]] == ["line 4", "line 5"]
    assert csv(admin, url, bad, dry_run=True).json()["bad_count"] == 2
    assert search.search(database, search.DeviceFilters(batch="A7"), limit=9).rows == []
    assert csv(admin, url, good, batch="A7", tag=["x", "y"]).json() == told
    again = csv(admin, url, good, batch="A7").json()
    assert (again["added"], again["unchanged"]) == (0, 2)
    (one, _) = search.search(database, search.DeviceFilters(batch="A7"), limit=9).rows
    assert (one["tags"], one["created_by"]) == (["a", "b", "x", "y"], "admin/t0")
    skipped = csv(admin, url, bad + f"{imei(54)},m4,\n", skip_bad=True).json()
    assert (skipped["added"], skipped["unchanged"], skipped["bad_count"]) == (1, 2, 2)
    problem(csv(admin, url, b"\xff\xfe"), 422)
    problem(csv(admin, url, "nothing"), 422)
    problem(csv(admin, url, good, batch="none"), 404)


def test_a_large_file(admin):
    """Larger than any other body may be; and a limit that is told."""
    url = f"/api/v1/products/{PRODUCT}/import/devices"
    text = "imei\n" + "".join(f"{imei(n)}\n" for n in range(20_000))
    assert csv(admin, url, text).json()["added"] == 19_990
    assert admin.post("/api/v1/operators", content="x" * 70_000).status_code == 413
    exported = admin.get("/api/v1/export/devices?state=registered")
    assert exported.headers["content-disposition"].startswith("attachment")
    assert len(exported.text.splitlines()) == 20_001


def test_filling_a_pool(admin):
    """By an admin; the overview says how many are left."""
    new = {"name": "A", "product_key": "pka", "mqtt_host": "m.test", "source": "pool"}
    assert admin.post("/api/v1/products", json=new).status_code == 201
    url = "/api/v1/products/pka/import/pool"
    text = "device_name,device_secret\nd1,secret1\nd2,secret2\n"
    assert csv(admin, url, text).json()["added"] == 2
    pools = admin.get("/api/v1/overview").json()["pools"]
    assert pools == [{"product_key": "pka", "left": 2, "taken": 0, "low": True}]
    problem(csv(admin, f"/api/v1/products/{PRODUCT}/import/pool", text), 409)


@ON_BOTH
def test_batches(admin):
    """Limits are given and taken away."""
    url = f"/api/v1/products/{PRODUCT}/batches"
    new = {"name": "A7", "quota": 2, "expires_at": "2099-01-01T00:00:00Z"}
    made = admin.post(url, json=new).json()
    assert (made["quota"], made["open"], made["enrolled"]) == (2, True, 0)
    changed = admin.patch(f"{url}/A7", json={"quota": 0}).json()
    assert (changed["open"], changed["expires_at"]) == (False, made["expires_at"])
    changed = admin.patch(f"{url}/A7", json={"quota": None, "expires_at": None}).json()
    assert (changed["quota"], changed["expires_at"]) == (None, None)
    (listed,) = admin.get(url).json()
    assert listed["devices"] == 0
    problem(admin.post(url, json={"name": "A7"}), 409)
    problem(admin.patch(f"{url}/A8", json={}), 404)
    problem(admin.post(url, json={**new, "expires_at": "2099-01-01T00:00:00"}), 422)


@ON_BOTH
def test_products(admin, database):
    """Added and listed; what boards would refuse is refused here."""
    new = {"name": "Meter", "product_key": "pkm", "mqtt_host": "m.test"}
    made = admin.post("/api/v1/products", json=new)
    assert made.status_code == 201
    assert made.json() in admin.get("/api/v1/products").json()
    problem(admin.post("/api/v1/products", json=new), 409)
    changed = admin.patch("/api/v1/products/pkm", json={"mqtt_port": 8883}).json()
    assert changed == {**made.json(), "mqtt_port": 8883}
    odd = {"mqtt_qos": None}
    problem(admin.patch("/api/v1/products/pkm", json=odd), 422)
    problem(admin.patch("/api/v1/products/pkx", json={"name": "x"}), 404)
    unknown = {**new, "product_key": "pkn", "auth": "magic"}
    assert (
        "auth 'magic' is unknown"
        in problem(admin.post("/api/v1/products", json=unknown), 422)["detail"]
    )
    problem(admin.post("/api/v1/products", json={"name": "No broker"}), 422)


def test_operators(admin, staff):
    """Added, changed, and never without an admin."""
    url = "/api/v1/operators"
    made = admin.post(url, json={"name": "eve"})
    assert (made.status_code, made.headers["location"]) == (201, f"{url}/eve")
    assert made.json()["has_password"] is False
    changed = admin.patch(f"{url}/eve", json={"role": "operator", "disabled": True})
    assert changed.json()["role"] == "operator"
    assert changed.json()["disabled_at"]
    problem(admin.patch(f"{url}/admin", json={"role": "viewer"}), 409)
    token = admin.post(f"{url}/viewer/tokens", json={"label": "ci"}).json()["token"]
    client = staff.stranger()
    client.headers["Authorization"] = f"Bearer {token}"
    assert client.get("/api/v1/me").status_code == 200
    assert admin.delete(f"{url}/viewer/tokens/ci").status_code == 204
    assert client.get("/api/v1/me").status_code == 401
    (listed,) = admin.get(f"{url}/viewer/tokens").json()
    assert listed["revoked_at"]
    assert listed["used_at"]
    problem(admin.delete(f"{url}/viewer/tokens/none"), 404)


@ON_BOTH
def test_the_overview(admin, database):
    """States, enrolments in their hour, refusals."""
    issue(database, 1)
    figures = admin.get("/api/v1/overview").json()
    assert figures["states"]["issued"] == 1
    assert figures["states"]["registered"] == 9
    assert [step["count"] for step in figures["enrolments"]] == [0] * 23 + [1]
    assert figures["refusals"] == []
    month = admin.get("/api/v1/overview?span=month").json()
    assert len(month["enrolments"]) == 30


@ON_BOTH
def test_the_audit(admin):
    """Newest first, by who and by what, page by page."""
    admin.post(f"{ONE}/lock")
    admin.post(f"{ONE}/unlock")
    page = admin.get("/api/v1/audit?who=admin/t0&limit=1").json()
    assert page["items"][0]["what"] == "unlocked"
    after = page["next"]
    page = admin.get(f"/api/v1/audit?who=admin/t0&limit=1&after={after}").json()
    assert (page["items"][0]["what"], page["next"]) == ("locked", None)
    found = admin.get("/api/v1/audit?what=operator added").json()["items"]
    assert {each["subject"] for each in found} >= {"operator admin", "operator viewer"}


def test_nothing_is_left_out(admin, database):
    """What the registry tells of a thing, the API tells; a new word is added here."""
    (product,) = products.list_products(database)
    assert set(products.summarize(product)) == set(ProductRow.model_fields)
    shown = set(search.show(database, imei(1), PRODUCT)) - {"etag"}
    assert shown == set(DeviceShown.model_fields)
    (row, *_) = admin.get("/api/v1/devices").json()["items"]
    assert set(row) == set(DeviceRow.model_fields)


def test_the_page_says_who_may(staff):
    """Each operation of the API has its role, examples and problems in OpenAPI."""
    page = staff.stranger().get("/openapi.json").json()
    for path, operations in page["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/api/"):
                assert operation["x-role"] in list(Role), (method, path)
                assert operation["summary"]
                assert operation["security"] == [{"token": []}]
                assert "401" in operation["responses"]
    schemas = page["components"]["schemas"]
    given = [name for name in schemas if name.startswith("New") or "Change" in name]
    for name in [*given, "DeviceShown", "ProductRow", "Figures", "Problem"]:
        assert schemas[name]["examples"]


def test_the_examples_are_true():
    """Each is what its model takes."""
    checked = 0
    for each in pkgutil.iter_modules(models.__path__, f"{models.__name__}."):
        for model in vars(importlib.import_module(each.name)).values():
            extra = getattr(model, "model_config", {}).get("json_schema_extra", {})
            for example in extra.get("examples", ()):
                model.model_validate_json(json.dumps(example))
                checked += 1
    assert checked > 20
