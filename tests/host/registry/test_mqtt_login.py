"""Who is let in: every scheme, by signatures that the tests make themselves."""

import hashlib
import hmac
import json
import os
import threading

import pytest

from point import mqttauth
from pointctl.registry.devices import devices, products, search
from pointctl.registry.issuing import lifecycle, mqtt_login
from pointctl.registry.storage.database import open_database
from pointctl.registry.storage.models import Policy, State
from tests.host.serving import answer, imei
from tests.runtimes import ROOT

SCHEMES = list(mqttauth.SCHEMES)
BY_SECRET = {
    ("plain", "gizwits-classic"),
    ("plain", "aliyun-token"),
    ("gizwits-classic", "plain"),
}
GOLDEN = json.loads((ROOT / "tests/golden/alibaba.json").read_text())["vectors"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A product of each scheme, called as it, with the devices imei(0) … imei(9)."""
    path = tmp_path_factory.mktemp("login") / "data" / "registry.sqlite"
    with open_database(path) as database:
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
            devices.register(database, auth, rows)
        yield database


def issued(database, auth, serial=0):
    """What a board is told: its device_config."""
    request = {"imei": imei(serial), "productKey": auth}
    return answer(database, request).config


def connect(database, auth, serial=0):
    """(client id, user, password), as the board makes them."""
    made = mqttauth.settings(issued(database, auth, serial), os.urandom)
    return made["clientId"], made["user"], made["password"]


def let_in(database, *who, **options):
    """The IMEI of the device that is let in, or None."""
    device = mqtt_login.judge(database, *who, **options).device
    return device and device.imei


def signed(config, extension, method="hmacsha256", timestamp=None, bare="any"):
    """An Alibaba CONNECT that this test signs with Python's own hmac."""
    device = config["device"]
    name, key = device["deviceName"], device["productKey"]
    text = f"clientId{bare}deviceName{name}productKey{key}"
    if timestamp is not None:
        text += f"timestamp{timestamp}"
    digest = hmac.new(device["deviceSecret"].encode(), text.encode(), method[4:])
    return f"{bare}|{extension}|", f"{name}&{key}", digest.hexdigest()


@pytest.mark.parametrize("auth", SCHEMES)
def test_a_board_is_let_in_by_its_own_scheme_only(registry, auth):
    """The same firmware code signs; what another scheme makes is refused."""
    assert let_in(registry, *connect(registry, auth)) == imei(0)
    config = issued(registry, auth)
    for other in SCHEMES:
        told = config["connect"].copy()
        told["clientId"] = f"{imei(0)}&{auth}"
        made = mqttauth.SCHEMES[other](config["device"], told, os.urandom)
        # With the secret itself as password, classic and plain are the same CONNECT.
        same = auth == other or (auth, other) in BY_SECRET
        assert let_in(registry, *made) == (imei(0) if same else None), other


@pytest.mark.parametrize("auth", SCHEMES)
def test_what_is_nearly_right_is_refused(registry, auth):
    """Another's password, a changed one, none; another's user; no user."""
    client_id, user, password = connect(registry, auth)
    other = connect(registry, auth, 1)
    for wrong in (
        (client_id, user, other[2]),
        (client_id, user, password[:-1]),
        (client_id, user, password + "0"),
        (client_id, user, ""),
        (client_id, user, "é" + password[1:]),
        (client_id, user, "\ud800"),
        (client_id, other[1], password),
        (client_id, user.replace(auth, "pk-none"), password),
        (client_id, user.swapcase(), password),
        (client_id, "", password),
        (client_id, "\ud800&" + auth, password),
        (client_id, "x" * 1000, password),
        (client_id, "\0&" + auth, password),
        ("\0" + client_id, user, password),
        ("", "", ""),
    ):
        assert let_in(registry, *wrong) is None, wrong


def test_a_device_that_was_never_issued_anything_has_no_password(registry):
    """Not the empty one either."""
    for auth in SCHEMES:
        user = f"{imei(9)}&{auth}"
        for password in ("", "None", "0" * 32):
            login = mqtt_login.judge(registry, user, user, password)
            assert (login.device, login.reason) == (None, "unknown")


@pytest.mark.parametrize("method", ["hmacmd5", "hmacsha1", "hmacsha256"])
@pytest.mark.parametrize("timestamp", [None, "2524608000000", "789", ""])
@pytest.mark.parametrize("securemode", [2, 3])
def test_alibaba_signatures_of_every_kind(registry, method, timestamp, securemode):
    """Each method, with and without a time, the members in any order, hex any case."""
    config = issued(registry, "aliyun")
    members = [f"securemode={securemode}", f"signmethod={method}", "lan=C"]
    if timestamp is not None:
        members.append(f"timestamp={timestamp}")
    for order in (members, members[::-1]):
        client_id, user, password = signed(config, ",".join(order), method, timestamp)
        for spelled in (password, password.upper()):
            assert let_in(registry, client_id, user, spelled) == imei(0)


def test_without_a_method_it_is_md5(registry):
    """As Alibaba's manual says."""
    config = issued(registry, "aliyun")
    assert let_in(registry, *signed(config, "securemode=2", "hmacmd5")) == imei(0)
    assert let_in(registry, *signed(config, "securemode=2", "hmacsha256")) is None


@pytest.mark.parametrize(
    ("extension", "options"),
    [
        ("signmethod=hmacsha256", {}),
        ("securemode=-1,signmethod=hmacsha256", {}),
        ("securemode=-2,signmethod=hmacsha256", {}),
        ("securemode=22,signmethod=hmacsha256", {}),
        ("securemode=2,signmethod=hmacsha512", {"method": "hmacsha512"}),
        ("securemode=2,signmethod=", {}),
        ("securemode=2,securemode=2,signmethod=hmacsha256", {}),
        ("securemode=2,signmethod=hmacsha256,authType=register", {}),
        ("securemode=2,signmethod=hmacsha256,timestamp=1", {"timestamp": "2"}),
        ("securemode=2,signmethod=hmacsha256", {"timestamp": "1"}),
        ("securemode=2,signmethod=hmacsha256,timestamp=1", {}),
        ("securemode=2,signmethod=hmacsha256", {"bare": "x" * 65}),
        ("securemode=2,signmethod=hmacsha256", {"bare": ""}),
        ("securemode=2,signmethod=hmacsha256", {"bare": "é"}),
        ("securemode=2,signmethod=hmacsha256," + "x=y," * 80 + "z=", {}),
        ("", {}),
    ],
)
def test_alibaba_client_ids_that_are_none(registry, extension, options):
    """Each is signed as it stands, and is refused for what it says."""
    config = issued(registry, "aliyun")
    assert let_in(registry, *signed(config, extension, **options)) is None


def test_a_method_that_is_not_the_one_that_is_named(registry):
    """Else a weaker one could be passed off as a stronger."""
    config = issued(registry, "aliyun")
    extension = "securemode=2,signmethod=hmacsha256"
    assert let_in(registry, *signed(config, extension, "hmacmd5")) is None


@pytest.mark.parametrize(
    "vector",
    [v for v in GOLDEN if v["kind"] in ("mqtt_connect", "mqtt_password")],
    ids=lambda vector: vector["id"],
)
def test_the_official_sdks_would_be_let_in(vector):
    """What four SDKs and the manual make of a secret is what is expected of it."""
    given, expect = vector["inputs"], vector["expect"]
    user = f"{given['deviceName']}&{given['productKey']}"
    client_id = expect.get("clientId")
    if client_id is None:
        members = f"securemode=2,signmethod={vector['signmethod']}"
        members += f",timestamp={given['timestamp']}"
        client_id = f"{given['bare_clientId']}|{members}|"
    found = mqtt_login._passwords(client_id, user, given["deviceSecret"])
    assert found["aliyun"] == expect["password"].lower()


def test_a_token_needs_its_own_client_id(registry):
    """That which was given with it; and the word for it."""
    client_id, user, token = connect(registry, "aliyun-token")
    bare, _, extension = client_id.partition("|")
    assert let_in(registry, f"x{bare}|{extension}", user, token) is None
    assert let_in(registry, bare, user, token) is None
    wrong = client_id.replace("connwl", "register")
    assert let_in(registry, wrong, user, token) is None


def test_gizwits_by_hand(registry):
    """The sum is the one of their firmware, under any nonce, for its own did only."""
    device = issued(registry, "gizwits")["device"]
    did = f"{imei(0)}&gizwits"

    def made(nonce, method="sha256"):
        text = f"gizwits,{imei(0)},{device['deviceSecret']},{nonce}"
        user = f"{did}|signmethod={method},signnonce={nonce}"
        return user, hashlib.sha256(text.encode()).hexdigest()

    for nonce in ("A", "ABCDEFGHIJKLMNOP", "Z" * 64):
        assert let_in(registry, did, *made(nonce)) == imei(0)
    for nonce in ("", "A,B", "A|B", "Z" * 65):
        assert let_in(registry, did, *made(nonce)) is None
    assert let_in(registry, did, *made("A", "md5")) is None
    assert let_in(registry, f"{imei(1)}&gizwits", *made("A")) is None
    user, password = made("A")
    assert let_in(registry, did, user, password.upper()) is None
    assert let_in(registry, did, user.replace("=A", "=B"), password) is None
    assert let_in(registry, did, did, device["deviceSecret"]) is None


def test_brokers_that_know_no_owner_of_a_client_id(registry):
    """There, a client id has to name the device."""
    secret = issued(registry, "plain")["device"]["deviceSecret"]
    user = f"{imei(0)}&plain"
    own = [f"plain.{imei(0)}", f"plain&{imei(0)}", user]
    for client_id in (*own, f"plain.{imei(1)}", "", "plain", imei(0)):
        login = mqtt_login.judge(registry, client_id, user, secret, own_client_id=True)
        assert bool(login.device) == (client_id in own)
        assert login.reason == (None if login.device else "client id")
        assert let_in(registry, client_id, user, secret) == imei(0)


@pytest.mark.parametrize("auth", SCHEMES)
def test_the_first_login_confirms_and_a_refused_one_does_not(registry, auth):
    """Once, also when many come together; and the revoked stay out."""
    who = connect(registry, auth, 2)
    let_in(registry, who[0], who[1], who[2] + "0")
    let_in(registry, "x", *who[1:], own_client_id=True)
    with registry.snapshot() as session:
        assert devices.find(session, imei(2), auth).state is State.ISSUED
    together = [
        threading.Thread(target=let_in, args=(registry, *who)) for _ in range(8)
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    with registry.snapshot() as session:
        device = devices.find(session, imei(2), auth)
    assert (device.state, device.confirmed_at is None) == (State.CONFIRMED, False)
    found = mqtt_login.find(registry, who[1])
    assert found is not None
    assert found.imei == imei(2)
    lifecycle.revoke(registry, imei(2), auth, "op")
    login = mqtt_login.judge(registry, *who)
    assert (login.device, login.reason) == (None, "revoked")
    assert mqtt_login.find(registry, who[1]) is None
    what = [entry["what"] for entry in search.read_history(registry, imei(2), auth)]
    assert what.count("confirmed") == 1


@pytest.mark.parametrize("auth", SCHEMES)
def test_a_rotation_ends_when_the_new_secret_is_seen(registry, auth):
    """Until then both are good, in any order; afterwards the old one is not."""
    old = connect(registry, auth, 4)
    assert let_in(registry, *old) == imei(4)
    lifecycle.rotate(registry, imei(4), auth, "op")
    new = connect(registry, auth, 4)
    assert new[2] != old[2]
    wrong = (new[0], new[1], new[2] + "0")
    assert let_in(registry, *wrong) is None
    assert let_in(registry, *old) == imei(4)
    for _ in range(2):
        assert let_in(registry, *new) == imei(4)
    assert let_in(registry, *old) is None
    what = [entry["what"] for entry in search.read_history(registry, imei(4), auth)]
    assert what.count("rotated") == 1


def test_who_is_unknown_costs_the_same_work(registry, monkeypatch):
    """Each CONNECT makes the same sums, whoever is or is not behind its user name."""
    sums = []
    real = mqtt_login._passwords

    def counted(*arguments):
        sums.append(len(arguments[2]))
        return real(*arguments)

    monkeypatch.setattr(mqtt_login, "_passwords", counted)
    config = issued(registry, "aliyun")
    client_id, _, password = signed(config, "securemode=2,signmethod=hmacsha256")
    seen = set()
    for name in (f"{imei(0)}&aliyun", f"{imei(0)}&plain", f"{imei(9)}&aliyun", "a&b"):
        sums.clear()
        mqtt_login.judge(registry, client_id, name, password + "0")
        seen.add(tuple(sums))
    assert len(seen) == 1
    assert len(seen.pop()) > 0


def test_an_account_with_a_fixed_password(registry):
    """What a board of a plain mosquitto will say is known beforehand, but Gizwits'."""
    for auth in SCHEMES:
        config = issued(registry, auth)
        if auth == "gizwits":
            with pytest.raises(Exception, match="a new password each time"):
                mqtt_login.fixed_password(config)
        else:
            assert mqtt_login.fixed_password(config) == connect(registry, auth)[2]
