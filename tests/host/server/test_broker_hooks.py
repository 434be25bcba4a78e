"""The hooks of a real server: what EMQX and RabbitMQ ask, and what they are told."""

import os
import stat
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from sqlalchemy import text

from point import mqttauth
from pointctl.folder import DataFolder
from pointctl.registry.devices import devices, products
from pointctl.registry.issuing import lifecycle
from pointctl.registry.keys import claim_keys
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy, State
from pointctl.server.broker_hooks import token as hook_token
from tests.host.serving import Server, answer, imei, url_of

SCHEMES = list(mqttauth.SCHEMES)
CANARY = "canary-5b1c"
DOTTED = "a.b"


def registry_of(data, url=None):
    """A product of each scheme, called as it, with the devices imei(0) … imei(9)."""
    database = open_database(url or data.registry, data)
    for auth in SCHEMES:
        products.add(
            database,
            auth,
            policy=Policy.OPEN,
            product_key=auth,
            mqtt_host="mqtt.test",
            auth=auth,
        )
        rows = [devices.ImportRow(n, imei(n), None) for n in range(10)]
        devices.register(
            database, auth, [*rows, devices.ImportRow(9, imei(99), DOTTED)]
        )
    return database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hooks(request, tmp_path_factory, authority):
    """A server with hooks, a client of it, its registry and the token of the broker."""
    data = DataFolder(tmp_path_factory.mktemp("hooks") / "data")
    token_file, url = data.path.parent / "token", url_of(request)
    options = "--mqtt-hook-token-file", token_file
    with registry_of(data, url) as database:
        server = Server(data.path, authority, *options, url=url)
        with server.client() as client:
            token = token_file.read_text().strip()
            yield SimpleNamespace(
                server=server,
                client=client,
                database=database,
                token=token,
                token_file=token_file,
                data=data,
            )
        server.stop()


def connect(hooks, auth, serial=0):
    """What a board of this scheme sends: its client id, user and password."""
    request = {"imei": imei(serial), "productKey": auth}
    config = answer(hooks.database, request).config
    assert config is not None
    made = mqttauth.settings(config, os.urandom)
    return {
        "clientid": made["clientId"],
        "username": made["user"],
        "password": made["password"],
    }


def emqx(hooks, path, body, token=None):
    """The result that EMQX is given."""
    headers = {"Authorization": f"Bearer {token or hooks.token}"}
    reply = hooks.client.post(path, json=body, headers=headers)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["is_superuser"] is False
    return reply.json()["result"]


def rabbitmq(hooks, question, method="POST", **parameters):
    """The text that RabbitMQ is given."""
    url = f"/mqtt/rabbitmq/{hooks.token}/{question}"
    if method == "GET":
        reply = hooks.client.get(url, params=parameters)
    else:
        reply = hooks.client.post(url, data=parameters)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    return reply.text


def rabbitmq_user(hooks, who, **more):
    """As the MQTT plugin asks: with client id and vhost."""
    given = {"username": who["username"], "password": who["password"]}
    given.update(vhost="/", client_id=who["clientid"])
    return rabbitmq(hooks, "user", **{**given, **more})


@pytest.mark.parametrize("auth", SCHEMES)
def test_emqx_lets_boards_in(hooks, auth):
    """By each scheme; what is wrong is denied, whoever it names."""
    who = connect(hooks, auth)
    assert emqx(hooks, "/mqtt/auth", who) == "allow"
    other = connect(hooks, auth, 1)
    for wrong in (
        {"password": ""},
        {"password": other["password"]},
        {"username": other["username"]},
        {"username": f"nobody&{auth}"},
        {"username": ""},
        {"username": "undefined", "password": "undefined"},
        {"clientid": "taken-from-another"},
        {"clientid": other["clientid"]},
    ):
        assert emqx(hooks, "/mqtt/auth", who | wrong) == "deny", wrong


@pytest.mark.parametrize("auth", SCHEMES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_rabbitmq_lets_boards_in(hooks, auth, method):
    """The same, in the words of its plugin; without tags."""
    who = connect(hooks, auth)
    assert rabbitmq_user(hooks, who, method=method) == "allow"
    assert rabbitmq_user(hooks, who, method=method, password="x") == "deny"
    assert rabbitmq_user(hooks, who, method=method, client_id="x") == "deny"
    assert rabbitmq(hooks, "user", method, username=who["username"]) == "deny"
    user = who["username"]
    assert rabbitmq(hooks, "vhost", method, username=user, vhost="/") == "allow"
    assert rabbitmq(hooks, "vhost", method, username="x", vhost="/") == "deny"


def test_the_first_connect_confirms(hooks):
    """As the embedded broker does it: state and history; then it may be revoked."""
    who = connect(hooks, "aliyun", 3)
    assert emqx(hooks, "/mqtt/auth", who | {"password": "0"}) == "deny"
    with hooks.database.snapshot() as session:
        assert devices.find(session, imei(3), "aliyun").state is State.ISSUED
    assert emqx(hooks, "/mqtt/auth", who) == "allow"
    with hooks.database.snapshot() as session:
        assert devices.find(session, imei(3), "aliyun").state is State.CONFIRMED
    topic = {"username": who["username"], "action": "publish"}
    topic["topic"] = f"/sys/aliyun/{imei(3)}/thing/x"
    assert emqx(hooks, "/mqtt/acl", topic) == "allow"
    lifecycle.revoke(hooks.database, imei(3), "aliyun", "op")
    assert emqx(hooks, "/mqtt/auth", who) == "deny"
    assert emqx(hooks, "/mqtt/acl", topic) == "deny"
    assert rabbitmq_user(hooks, who) == "deny"


@pytest.mark.parametrize(
    ("auth", "action", "topic", "result"),
    [
        ("plain", "publish", "plain/{0}/up", "allow"),
        ("plain", "subscribe", "plain/{0}/#", "allow"),
        ("plain", "publish", "plain/{1}/up", "deny"),
        ("plain", "subscribe", "plain/+/up", "deny"),
        ("plain", "subscribe", "#", "deny"),
        ("plain", "publish", "/sys/plain/{0}/x", "deny"),
        ("aliyun", "publish", "/sys/aliyun/{0}/thing/reset", "allow"),
        ("aliyun", "subscribe", "/sys/aliyun/{0}/_thing/#", "allow"),
        ("aliyun", "publish", "/ext/session/aliyun/{0}/combine/login", "allow"),
        ("aliyun", "publish", "/sys/aliyun/{1}/thing/reset", "deny"),
        ("gizwits", "publish", "dev2app/{0}&gizwits", "allow"),
        ("gizwits", "subscribe", "app2dev/{0}&gizwits/#", "allow"),
        ("gizwits", "publish", "app2dev/{0}&gizwits/x", "deny"),
        ("gizwits", "subscribe", "ser2cli_noti/gizwits", "allow"),
    ],
)
def test_own_topics(hooks, auth, action, topic, result):
    """EMQX asks with slashes, RabbitMQ with dots; both are told the same."""
    user = connect(hooks, auth)["username"]
    topic = topic.format(imei(0), imei(1))
    body = {"username": user, "action": action, "topic": topic, "clientid": "c"}
    assert emqx(hooks, "/mqtt/acl", body) == result
    key = topic.replace("/", ".").replace("+", "*")
    permission = {"publish": "write", "subscribe": "read"}[action]
    given = {"username": user, "vhost": "/", "resource": "topic", "name": "amq.topic"}
    given.update({"permission": permission, "routing_key": key, "tags": ""})
    given.update({"variable_map.client_id": "c", "variable_map.username": user})
    assert rabbitmq(hooks, "topic", **given) == result
    for wrong in ({"name": "other"}, {"permission": "configure"}):
        assert rabbitmq(hooks, "topic", **{**given, **wrong}) == "deny"


@pytest.mark.parametrize(
    ("kind", "name", "permission", "result"),
    [
        ("exchange", "amq.topic", "write", "allow"),
        ("exchange", "amq.topic", "read", "allow"),
        ("exchange", "amq.topic", "configure", "deny"),
        ("exchange", "amq.direct", "write", "deny"),
        ("exchange", "", "write", "deny"),
        ("queue", "mqtt-subscription-{own}qos0", "configure", "allow"),
        ("queue", "mqtt-subscription-{own}qos1", "write", "allow"),
        ("queue", "mqtt-subscription-{own}qos1", "read", "allow"),
        ("queue", "mqtt-will-{own}", "configure", "allow"),
        ("queue", "mqtt-subscription-{other}qos1", "read", "deny"),
        ("queue", "mqtt-subscription-{own}", "read", "deny"),
        ("queue", "orders", "read", "deny"),
        ("topic", "amq.topic", "write", "deny"),
        ("", "", "", "deny"),
    ],
)
@pytest.mark.parametrize("auth", ["plain", "aliyun"])
def test_resources_of_rabbitmq(hooks, auth, kind, name, permission, result):
    """The exchange of all topics, and the queues of its own sessions."""
    who, other = connect(hooks, auth), connect(hooks, auth, 1)
    name = name.format(own=who["clientid"], other=other["clientid"])
    given = {"username": who["username"], "vhost": "/", "resource": kind}
    given.update(name=name, permission=permission, tags="", client_id=who["clientid"])
    assert rabbitmq(hooks, "resource", **given) == result
    stranger = {**given, "username": f"nobody&{auth}"}
    assert rabbitmq(hooks, "resource", **stranger) == "deny"


def test_a_name_with_a_dot_is_not_for_rabbitmq(hooks):
    """There `a` would own what belongs to `a.b`: a dot is a slash."""
    request = {"imei": imei(99), "productKey": "plain"}
    config = answer(hooks.database, request).config
    assert config is not None
    made = mqttauth.settings(config, os.urandom)
    who = {"clientid": made["clientId"], "username": made["user"]}
    who["password"] = made["password"]
    assert emqx(hooks, "/mqtt/auth", who) == "allow"
    assert rabbitmq_user(hooks, who) == "deny"
    assert rabbitmq(hooks, "vhost", username=who["username"], vhost="/") == "deny"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b"{",
        b"\xff\xfe",
        b'{"clientid": "c", "username": "u"}',
        b'{"clientid": "c", "username": "u", "password": null}',
        b'{"clientid": "c", "username": "u", "password": 1}',
        b'{"clientid": "c", "username": "u", "password": ["%s"]}' % CANARY.encode(),
        b'{"clientid": "c", "username": "\\ud800&plain", "password": "p"}',
        b'{"clientid": "c", "username": "u", "password": "' + b"x" * 5000 + b'"}',
        b"[" * 4000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_broken_question_is_denied(hooks, body):
    """With status 200: to anything else EMQX's authorizer would not listen."""
    headers = {"Authorization": f"Bearer {hooks.token}"}
    for path in ("/mqtt/auth", "/mqtt/acl"):
        reply = hooks.client.post(path, content=body, headers=headers)
        assert (reply.status_code, reply.json()["result"]) == (200, "deny")


def test_a_broken_form_is_denied(hooks):
    """A parameter twice, one cut off by the length, bytes that are no text."""
    who = connect(hooks, "plain")
    good = f"username={quote(who['username'])}&password={who['password']}"
    good += f"&client_id={who['clientid']}"
    url = f"/mqtt/rabbitmq/{hooks.token}/user"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, result in (
        (good, "allow"),
        (good + "&username=x", "deny"),
        (good + "&password=" + who["password"], "deny"),
        (good + "&x=" + "y" * 5000, "deny"),
        (good + "&é=1", "deny"),
        (good + "&a=1" * 60, "deny"),
        ("", "deny"),
    ):
        reply = hooks.client.post(url, content=body.encode(), headers=form)
        assert (reply.status_code, reply.text) == (200, result)


@pytest.mark.parametrize("given", ["", "x", "é", "Bearer"])
def test_without_the_token_nobody_is_answered(hooks, given):
    """Right questions, no answer; the log says that somebody tried."""
    who = connect(hooks, "plain")
    for header in ({}, {"Authorization": f"Bearer {given}".strip().encode()}):
        for path in ("/mqtt/auth", "/mqtt/acl"):
            reply = hooks.client.post(path, json=who, headers=header)
            assert reply.status_code == 401
            assert "allow" not in reply.text
    basic = {"Authorization": f"Basic {hooks.token}"}
    assert hooks.client.post("/mqtt/auth", json=who, headers=basic).status_code == 401
    for path in (quote(given or "x"), hooks.token[:-1], hooks.token + "x"):
        reply = hooks.client.post(f"/mqtt/rabbitmq/{path}/user", data=who)
        assert reply.status_code == 401
        assert "allow" not in reply.text
    assert hooks.server.events("mqtt hook")[0]["reason"] == "token"


def test_without_the_option_there_are_no_hooks(tmp_path, authority):
    """Off is the default."""
    data = DataFolder(tmp_path / "data")
    claim_keys.create_master(data)
    server = Server(data.path, authority)
    with server.client() as client:
        for path in ("/mqtt/auth", "/mqtt/acl", "/mqtt/rabbitmq/x/user"):
            assert client.post(path).status_code == 404
        assert "/mqtt/auth" not in client.get("/openapi.json").json()["paths"]
    server.stop()


def test_the_token_is_made_once_and_is_private(hooks, pointctl, tmp_path):
    """What others may read, or what is none, is not used; it is never shown."""
    assert stat.S_IMODE(hooks.token_file.stat().st_mode) == 0o600
    assert len(hooks.token) >= 43
    assert not hook_token.make_token(hooks.token_file)
    assert hook_token.read_token(hooks.token_file) == hooks.token
    path = tmp_path / "token"
    for held, mode, why in (
        (hooks.token, 0o640, "others may read"),
        ("", 0o600, "not hold a token"),
        (CANARY, 0o600, "not hold a token"),
        (hooks.token + "/", 0o600, "not hold a token"),
    ):
        path.write_text(held)
        path.chmod(mode)
        done = pointctl("serve", "--port", "0", "--mqtt-hook-token-file", path)
        assert done.code == 1
        assert why in done.err
        assert not held or held not in done.err


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    """Of a registry of the test's own, on each database."""
    return url_of(request)


def test_a_registry_that_cannot_be_read_denies(data, authority, url):
    """And is reported; it would be a pity if nobody noticed."""
    token_file = data.path.parent / "token"
    options = "--mqtt-hook-token-file", token_file
    with registry_of(data, url) as database:
        server = Server(data.path, authority, *options, url=url)
        hooks = SimpleNamespace(database=database, token=token_file.read_text().strip())
        with server.client() as hooks.client:
            who = connect(hooks, "plain")
            assert emqx(hooks, "/mqtt/auth", who) == "allow"
            with database.exclusive() as session:
                session.execute(text("ALTER TABLE credentials RENAME TO gone"))
            assert emqx(hooks, "/mqtt/auth", who) == "deny"
            topic = f"plain/{imei(0)}/up"
            body = {"username": who["username"], "action": "publish", "topic": topic}
            assert emqx(hooks, "/mqtt/acl", body) == "deny"
            assert rabbitmq_user(hooks, who) == "deny"
        server.stop()
    assert len(server.events("mqtt hook failed")) == 3


def test_the_log_says_who_and_why_but_no_secret(data, authority, url):
    """No password, no token, no IMEI; the topic that was refused, masked."""
    token_file = data.path.parent / "token"
    options = "--mqtt-hook-token-file", token_file
    with registry_of(data, url) as database:
        server = Server(data.path, authority, *options, url=url)
        hooks = SimpleNamespace(database=database, token=token_file.read_text().strip())
        secrets = [hooks.token, CANARY, imei(0), imei(1)]
        with server.client() as hooks.client:
            for auth in SCHEMES:
                who = connect(hooks, auth)
                secrets += [who["password"], quote(who["password"])]
                emqx(hooks, "/mqtt/auth", who)
                emqx(hooks, "/mqtt/auth", who | {"password": CANARY})
                emqx(hooks, "/mqtt/auth", who | {"password": [CANARY]})
                rabbitmq_user(hooks, who, method="GET")
                rabbitmq_user(hooks, who, password=CANARY)
                topic = f"{auth}/{imei(1)}/up"
                user = who["username"]
                body = {"username": user, "action": "publish", "topic": topic}
                emqx(hooks, "/mqtt/acl", body)
                emqx(hooks, "/mqtt/acl", body | {"topic": f"{auth}/{imei(0)}/up"})
            hooks.client.post(f"/mqtt/rabbitmq/{CANARY}/user")
        command = str(server.process.args)
        server.stop()
    log = "".join(server.lines) + command
    assert [secret for secret in secrets if secret in log] == []
    lines = server.events("mqtt connect")
    assert [line["allowed"] for line in lines[:5]] == [True, False, False, True, False]
    reasons = [line["reason"] for line in lines[:5]]
    assert reasons == [None, "password", "malformed", None, "password"]
    assert lines[0]["product_key"] == "plain"
    assert lines[0]["device"] == lines[3]["device"]
    (refused, *_) = server.events("mqtt topic")
    assert refused["reason"] == f"plain/{imei(1)[:8]}****{imei(1)[-3:]}/up"
    assert len(server.events("mqtt topic")) == len(SCHEMES)


def test_the_page_documents_the_hooks(hooks):
    """Their bodies, their answer, and that a token is wanted."""
    page = hooks.client.get("/openapi.json").json()
    for path, members in (
        ("/mqtt/auth", {"clientid", "username", "password"}),
        ("/mqtt/acl", {"username", "action", "topic"}),
    ):
        operation = page["paths"][path]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["properties"]) == members
        assert operation["security"]
    assert set(page["paths"]["/mqtt/rabbitmq/{given}/{question}"]) == {"get", "post"}
