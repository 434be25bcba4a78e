"""The endpoint, in this process: what is said, and what is never said."""

import json

import pytest
from fastapi.testclient import TestClient

from point import mqttauth, protocol
from point.host import protocol_server
from pointctl.registry.devices import devices, products
from pointctl.registry.storage.models import Policy
from pointctl.server.app import create_app
from pointctl.server.device_api import wire
from tests.host.serving import KEYS, PRODUCT, imei

CANARY = "canary-90d2"


@pytest.fixture
def client(database):
    """Talks to the application, and lets nothing it raises pass for a reply."""
    return TestClient(create_app(database, KEYS))


def ask(client, **request):
    reply = client.post("/v1/access", content=json.dumps(request))
    code, config, _ = protocol.decode_reply(reply.status_code, reply.content)
    return reply.status_code, (code, config)


def test_the_board_understands_the_reply(client):
    """Server and board share one decoder."""
    status, (code, config) = ask(client, imei=imei(0), productKey=PRODUCT)
    assert (status, code) == (200, protocol.SUCCESS)
    assert config["device"]["deviceName"] == imei(0)
    assert config["connect"] == {"host": "mqtt.test", "qos": 0, "cleanSession": 0}


def test_a_request_may_hold_more(client):
    """The seed lets customers send what they like beside the IMEI."""
    status, _ = ask(client, imei=imei(0), firmware="1.2", iccid="8986", list=[1])
    assert status == 200


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"imei": imei(99), "productKey": PRODUCT}, protocol.UNKNOWN_IMEI),
        ({"imei": imei(99)}, protocol.BAD_SIGNATURE),
        ({"imei": imei(0), "productKey": "pk-other"}, protocol.BAD_SIGNATURE),
    ],
)
def test_unknown_boards(client, request_, code):
    """An open product says so; whoever names none might be anybody's."""
    reply = client.post("/v1/access", content=json.dumps(request_))
    assert reply.status_code == int(code[:3])
    assert reply.json() == {"code": code}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"xx",
        b"[]",
        b"null",
        b"{}",
        b'{"imei": 866123456789018}',
        b'{"imei": "866123456789017"}',
        b'{"imei": "866123456789018"',
        b'{"imei": "866123456789018",}',
        b'{"imei": "866123456789018", "productKey": 1}',
        b'{"imei": "866123456789018", "productKey": "../x"}',
        b'{"imei": "866123456789018\\u0000"}',
        b"\xff\xfe",
        b"imei=866123456789018",
        b"<imei>866123456789018</imei>",
        b"[" * 4000,
        b'{"imei": "866123456789018", "x": "' + b"x" * 4096 + b'"}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_bad_requests(client, body):
    """One answer for all, and the connection is not used again."""
    reply = client.post("/v1/access", content=body)
    assert (reply.status_code, reply.content) == (400, b'{"code": "40001"}')
    assert reply.headers["connection"] == "close"


def test_replies_are_json_of_known_length(client):
    """No chunks: boards read exactly Content-Length bytes."""
    for body in (b"x", json.dumps({"imei": imei(0)}).encode()):
        reply = client.post("/v1/access", content=body)
        assert reply.headers["content-type"] == "application/json"
        assert int(reply.headers["content-length"]) == len(reply.content)
        assert "transfer-encoding" not in reply.headers


class FailingAccounts:
    """A broker's client that fails once, quoting the secret in its error."""

    failed = False

    def allow(self, product_key, device_name, password, auth=None):
        if not self.failed:
            self.failed = True
            raise RuntimeError(f"{CANARY} could not add {password}")

    def refuse(self, product_key, device_name):
        pass  # no device leaves


def test_a_failure_is_50001_and_the_next_request_recovers(database, log):
    """The client sees no cause, the log no secret."""
    client = TestClient(create_app(database, KEYS, FailingAccounts()))
    failed = client.post("/v1/access", content=json.dumps({"imei": imei(0)}))
    status, (_, config) = ask(client, imei=imei(0))
    assert (failed.status_code, failed.content) == (
        500,
        b'{"code": "50001", "retryAfter": 30}',
    )
    assert status == 200
    text = log.getvalue()
    device = config["device"]
    for secret in (CANARY, device["deviceSecret"], device["productSecret"], imei(0)):
        assert secret not in text
    events = [json.loads(line) for line in text.splitlines()]
    failure = next(event for event in events if event["event"] == "access failed")
    assert failure["error"] == "RuntimeError"
    codes = [event["code"] for event in events if event["event"] == "access"]
    assert codes == ["50001", "00000"]


def test_health(client):
    """The registry can be read."""
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_page_documents_both_versions(client):
    """/docs shows what /openapi.json says; its examples are true, and decoded by us."""
    assert "swagger" in client.get("/docs").text.lower()
    page = client.get("/openapi.json").json()
    operation = page["paths"]["/v1/access"]["post"]
    statuses = {"200", "400", "401", "403", "409", "429", "500", "503"}
    assert set(operation["responses"]) == statuses
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    titles = [each["title"] for each in schema["anyOf"]]
    assert titles == ["AccessRequest", "Claim", "Acknowledgement"]
    for each in schema["anyOf"]:
        (request,) = each["examples"]
        decoded = protocol_server.decode_request(json.dumps(request).encode())
        assert set(request) <= {*decoded, "signMethod"}
    key, request_id = bytes(range(32)), request["requestId"]
    for name in ("Issued", "Sealed"):
        (reply,) = page["components"]["schemas"][name]["examples"]
        body = json.dumps(reply).encode()
        sealed = (key, request_id) if name == "Sealed" else ()
        _, config, _ = protocol.decode_reply(200, body, *sealed)
        assert config is not None
        assert config["device"]["deviceName"] == "866123456789018"
        assert config["connect"]["auth"] in mqttauth.SCHEMES


@pytest.mark.parametrize(
    "cloud",
    [
        {},
        {"auth": "aliyun", "sign_method": "hmacsha1", "region": "eu-central-1"},
        {"auth": "aliyun-token", "instance_id": "iot-060a"},
        {"auth": "gizwits", "mqtt_port": 8883, "mqtt_ssl": True, "keep_alive": 120},
    ],
    ids=lambda cloud: cloud.get("auth", "none"),
)
def test_real_replies_fit_the_documented_models(client, database, cloud):
    """No member is sent that the page does not know, nor missing where it is set."""
    given = {"product_key": "pk-c", "mqtt_host": "h", **cloud}
    products.add(database, "C", policy=Policy.OPEN, **given)
    devices.register(database, "pk-c", [devices.ImportRow(1, imei(70), None)])
    reply = client.post("/v1/access", content=json.dumps({"imei": imei(70)})).json()
    assert set(cloud.values()) - {True} <= set(reply["result"]["connect"].values())
    documented = wire.Issued.model_validate(reply, extra="forbid", strict=True)
    assert documented.model_dump(exclude_unset=True) == reply
