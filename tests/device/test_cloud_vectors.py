"""What the clouds' own software sends, vector by vector: tests/golden/*.json.

Alibaba's SDKs and manual, AliOS Things and Gizwits' firmware made the values. REPORT
counts by kind the vectors that passed here; tests/run.py prints it.
"""

import json
import unittest

import fakes

from point.aliyun import cipher
from point.aliyun import login as aliyun
from point.aliyun import register_https as registerhttps
from point.aliyun import register_mqtt as registermqtt
from point.aliyun.alink import Alink
from point.aliyun.gateway import Gateway
from point.compat import binascii, hashlib
from point.digest import sha256
from point.errors import BROKER_REFUSED, LACKING, PointError
from point.gizwits import form as gizwitsform
from point.gizwits import frame as gizwitsframe
from point.gizwits import login as gizwits

GOLDEN = __file__.rsplit("/", 1)[0] + "/../golden/"
REPORT = []

# What vectors expect that is not ours to say, by the last name on the way there: the C
# SDK's port (our default is 8883), the QoS of a session's settings, a counter.
NOT_OURS = ("port", "qos", "id")
# Nor is any of these in the message that boards of ours do not send.
NOT_OURS_OF_LOGIN = ("topic", "version", "cleanSession")


def vectors():
    """All of them, in the files' order."""
    found = []
    for name in ("alibaba.json", "gizwits.json"):
        with open(GOLDEN + name) as file:
            found += json.load(file)["vectors"]
    return found


def same(found, expected):
    if found != expected:
        raise AssertionError("%r is not %r" % (found, expected))


def hexed(data):
    return binascii.hexlify(data).decode()


def members(client_id):
    """A client id's bare part, and what stands between its bars as a dict."""
    bare, extension, rest = client_id.split("|")
    same(rest, "")
    return bare, dict([each.split("=") for each in extension.split(",")])


def device_of(inputs, secret="deviceSecret"):
    names = "productKey", "deviceName"
    device = {name: inputs[name] for name in names}
    device["deviceSecret"] = inputs[secret]
    return device


def mqtt_connect(vector):
    """CONNECT as a whole. The SDKs add members of their own to the extension."""
    inputs, expect = vector["inputs"], vector["expect"]
    connect = {"signMethod": vector["signmethod"]}
    connect["clientId"] = inputs.get("bare_clientId") or inputs["clientId"]
    connect["ssl"] = inputs["tls"] if "tls" in inputs else inputs["securemode"] == 2
    if connect["clientId"] == "%(productKey)s.%(deviceName)s" % inputs:
        del connect["clientId"]  # which is ours where there is none
    found = aliyun.login(device_of(inputs), connect, inputs["timestamp"])
    bare, ours = members(found[0])
    expected, theirs = members(expect["clientId"])
    same(bare, expected)
    same(sorted(ours), ["securemode", "signmethod", "timestamp"])
    for name in ours:
        same(ours[name], theirs[name])
    same(found[1], expect["username"])
    same(found[2], expect["password"].lower())  # the cloud takes either case
    if "region" in inputs:
        host = aliyun.host(inputs["productKey"], inputs["region"])
        for name in "host", "brokerUrl":
            if name in expect:
                same(expect[name].split("//")[-1].split(":")[0], host)
        same(expect.get("brokerUrl", "mqtts:")[:6], "mqtts:")
    if inputs["timestamp"] == aliyun.FIXED_TIME:
        same(aliyun.login(device_of(inputs), connect), found)


def mqtt_password(vector):
    """Each of the three methods over a client id of its own."""
    inputs = vector["inputs"]
    connect = {"signMethod": vector["signmethod"], "clientId": inputs["bare_clientId"]}
    found = aliyun.login(device_of(inputs), connect, inputs["timestamp"])
    same(found[2], vector["expect"]["password"].lower())


def registration_sign(vector):
    inputs = vector["inputs"]
    names = "deviceName", "productKey", "random"
    signed = {name: inputs[name] for name in names}
    return aliyun.sign(vector["signmethod"], inputs["productSecret"], signed)


def dynreg_sign(vector):
    """The signature of a registration by itself."""
    same(registration_sign(vector), vector["expect"]["sign"].lower())


class Access:
    """As much of a PointAccess as a registration asks of it."""

    overrides = {}
    trust = {"pins": ["00" * 32]}
    timeout_s = 5

    def __init__(self, vector, by):
        self.identity = dict(vector["inputs"])
        self.identity["by"] = by
        body = b'{"code":200,"data":{}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.board = fakes.Board(replies=[head + body])
        self.board.mqtt = self.mqtt

    def mqtt(self, settings):
        """A broker that sees what it is asked, and refuses."""
        self.settings = settings
        return self

    def connect(self):
        raise PointError(BROKER_REFUSED, "seen")


def registration(vector):
    """What registration's ways are given to ask with."""
    inputs = vector["inputs"]
    request = {name: inputs[name] for name in ("productKey", "deviceName", "random")}
    request["signMethod"] = vector["signmethod"]
    request["sign"] = registration_sign(vector)
    return request


def mqtt_dynreg(vector):
    """A registration's CONNECT as a whole."""
    expect = vector["expect"]
    access = Access(
        vector, {"register": "mqtt", "regnwl": "mqtt-token"}[vector["authType"]]
    )
    registermqtt.Transport(access, None).ask(registration(vector))
    found = access.settings
    same(found["host"], expect["host"])
    same(members(found["clientId"]), members(expect["clientId"]))
    same(found["user"], expect["username"])
    same(found["password"], expect["password"])


def https_dynreg(vector):
    """A registration's POST: the address, and the form in any order."""
    access = Access(vector, "https")
    registerhttps.Transport(access, None).ask(registration(vector))
    host, port = access.board.connected[0][:2]
    head, body = access.board.streams[0].writes[0].decode().split("\r\n\r\n")
    same((port, head.split(" ")[0]), (443, "POST"))
    same("https://" + host + head.split(" ")[1], vector["expect"]["url"])
    same("Content-Type: application/x-www-form-urlencoded\r\n" in head, True)
    same(sorted(body.split("&")), sorted(vector["expect"]["form_body"].split("&")))


def topo_add_params(vector):
    """A sub-device's signature as the JavaScript SDK has it: & joins the client id."""
    inputs, expect = vector["inputs"], vector["expect"]
    sub = inputs["sub"]
    same(expect["clientId"], sub["productKey"] + "&" + sub["deviceName"])
    same(str(expect["timestamp"]), inputs["timestamp"])
    signed = {"timestamp": inputs["timestamp"]}
    for name in "clientId", "deviceName", "productKey":
        signed[name] = expect[name]
    found = aliyun.sign(expect["signMethod"], sub["deviceSecret"], signed)
    same(found, expect["sign"])
    same(expect["signMethod"], vector["signmethod"])


class Session:
    """A connection that keeps what is published."""

    connections = 1

    def __init__(self):
        self.published = {}

    def subscribe(self, topic):
        return True

    def publish(self, topic, message):
        self.published[topic] = json.loads(message)
        return True


def gateway_publish(vector):
    """A gateway's messages about one sub-device, as the Python SDK publishes them."""
    inputs, expect = vector["inputs"], vector["expect"]
    gateway, sub = inputs["gateway"], inputs["sub"]
    if expect["topic"].endswith("/combine/batch_login"):
        return batch_login(vector)
    session = Session()
    alink = Alink(session, gateway, bytes)
    ours = Gateway(alink)
    topic = "/sys/%(productKey)s/%(deviceName)s/thing/" % gateway
    permit = b'{"id":"1","version":"1.0","params":{"time":0}}'
    alink.received((topic + "gateway/permit").encode(), permit)
    alink.step()
    fixed, aliyun.FIXED_TIME = aliyun.FIXED_TIME, inputs["timestamp"]
    try:
        if expect["topic"].endswith("/add"):
            ours.add([sub])
        else:
            ours.remove([(sub["productKey"], sub["deviceName"])])
        alink.step()
    finally:
        aliyun.FIXED_TIME = fixed
    same(list(session.published).count(expect["topic"]), 1)
    found = session.published[expect["topic"]]
    same(found["params"], expect["payload"]["params"])
    same(found["version"], expect["payload"]["version"])


def batch_login(vector):
    """Its signature: boards of ours add sub-devices, and do not log them in."""
    expect, sub = vector["expect"]["payload"]["params"], vector["inputs"]["sub"]
    each = expect["deviceList"][0]
    for name in "productKey", "deviceName":
        same(each[name], sub[name])
    same(each["timestamp"], vector["inputs"]["timestamp"])
    names = "clientId", "deviceName", "productKey", "timestamp"
    signed = {name: each[name] for name in names}
    found = aliyun.sign(expect["signMethod"].lower(), sub["deviceSecret"], signed)
    same(found, each["sign"])


def provisioning_cipher(vector):
    """The key, and where there is a text, the channel in both modes and directions."""
    inputs, expect = vector["inputs"], vector["expect"]
    secret, random = inputs["secret"], inputs["random_hex"]
    arguments = vector["cipherType"], secret, random, inputs.get("mac_hex")
    key = cipher.channel_key(*arguments)
    if "documented_aes128_key" in expect:
        # The SDK cuts a secret after 40 characters, document 001 does not: nor do we.
        same(hexed(key), expect["documented_aes128_key"])
        cut = cipher.channel_key(vector["cipherType"], secret[:40], random)
        same(hexed(cut), expect["sdk_aes128_key"])
        return
    same(hexed(cipher.provisioning_key(*arguments)), expect["sha256_full"])
    same(
        hexed(sha256(binascii.unhexlify(expect["content_hex"]))), expect["sha256_full"]
    )
    same(hexed(key), expect["aes128_key"])
    if "breeze_effective_key_without_mac" in expect:
        # What published firmware ends up with: types 3 and 4 over the same random.
        effective = hexed(cipher.channel_key(vector["cipherType"] - 3, secret, random))
        same(effective, expect["breeze_effective_key_without_mac"])
    if "plaintext" in expect:
        same(expect["iv"], random)
        text, iv = expect["plaintext"].encode(), binascii.unhexlify(random)
        cbc = cipher.Channel(key, iv, "cbc")
        same(cbc.encrypt(text), expect["aes128_cbc_zeropad_hex"])
        same(cbc.decrypt(expect["aes128_cbc_zeropad_hex"]), text)
        cfb = cipher.Channel(key, iv, "cfb")
        sent = binascii.unhexlify(expect["aes128_cfb128_hex"])
        same(cfb.encrypt(text), sent)
        same(cfb.decrypt(sent), text)


def hex_to_byte(vector):
    """The SDK reads a digit that is none as 0, where we refuse to make a key."""
    secret, random = vector["inputs"]["secret"], vector["inputs"]["random"]
    if random.startswith("zz"):
        try:
            cipher.channel_key(3, secret, random)
        except PointError as error:
            same(error.name, "OPTION")
        else:
            raise AssertionError("a key of what is no hex")
        random = random.replace("z", "0")
    found = cipher.channel_key(3, secret, random)
    same(hexed(found), vector["expect"]["sdk_aes128_key"])


def breeze_v2_signature(vector):
    """A plain sum, not an HMAC, over names and values in the firmware's order."""
    inputs = vector["inputs"]
    text = (
        "clientId%(model_id)sdeviceName%(deviceName)sproductKey%(productKey)s" % inputs
    )
    text += "deviceSecret" + inputs["deviceSecret"]
    same(hexed(sha256(text.encode())), vector["expect"]["sign"])


def gizwits_login(vector):
    """By auth_key."""
    inputs, expect = vector["inputs"], vector["expect"]
    found = gizwits.login(
        device_of(inputs),
        {"clientId": inputs["did"]},
        lambda count: bytes(inputs["random"][:count]),
    )
    same(found, (expect["clientId"], expect["username"], expect["password"]))


def gizwits_classic_login(vector):
    """By passcode."""
    inputs, expect = vector["inputs"], vector["expect"]
    found = gizwits.classic_login(device_of(inputs), {"clientId": inputs["did"]})
    same(found, (expect["clientId"], expect["username"], expect["password"]))


# A kind that is not here fails.
def gizwits_etag(vector):
    """The signature of a body."""
    inputs = vector["inputs"]
    found = gizwits.etag(inputs["authKey"], inputs["nonce"], inputs["body"].encode())
    same(found, vector["expect"]["etag"])


def gizwits_form(vector):
    """A form for the older cloud, there and back."""
    secret, form = vector["inputs"]["productSecret"], vector["inputs"]["form"]
    sealed = gizwitsform.sealed(secret, form)
    same(sealed, vector["expect"]["sealed"])
    same(gizwitsform.opened(secret, sealed.encode()), form.encode())


def gizwits_reply(vector):
    """A reply of the older cloud, filled to whole blocks or not."""
    inputs = vector["inputs"]
    form = gizwitsform.opened(inputs["productSecret"], inputs["reply"].encode())
    same(gizwitsform.parse(form), vector["expect"])


def gizwits_frame(vector):
    """A frame, there and back."""
    inputs, frame = vector["inputs"], vector["expect"]["frame"]
    payload = binascii.unhexlify(inputs["payload"])
    found = gizwitsframe.encode(inputs["command"], payload, inputs["number"])
    same(hexed(found), frame)
    same(
        gizwitsframe.decode(binascii.unhexlify(frame)),
        (inputs["command"], payload, inputs["number"]),
    )


CHECKS = {
    "gizwits_etag": gizwits_etag,
    "gizwits_form": gizwits_form,
    "gizwits_reply": gizwits_reply,
    "gizwits_frame": gizwits_frame,
    "mqtt_connect": mqtt_connect,
    "mqtt_password": mqtt_password,
    "mqtt_dynreg": mqtt_dynreg,
    "https_dynreg": https_dynreg,
    "dynreg_sign": dynreg_sign,
    "topo_add_params": topo_add_params,
    "gateway_publish": gateway_publish,
    "provisioning_cipher": provisioning_cipher,
    "hexToByte": hex_to_byte,
    "breeze_v2_signature": breeze_v2_signature,
    "gizwits_login": gizwits_login,
    "gizwits_classic_login": gizwits_classic_login,
}


def lacking(vector):
    """True if this firmware has not the hash that a vector is about."""
    return not hasattr(hashlib, vector.get("signmethod", "hmacsha256")[4:])


def leaves(value, path=()):
    """The paths to every text and number in a tree of dicts and lists."""
    if isinstance(value, (dict, list)):
        keys = value if isinstance(value, dict) else range(len(value))
        return [each for key in keys for each in leaves(value[key], path + (key,))]
    return [path]


def spoilt(vector, path):
    """The vector with another first character, or another number, at one place."""
    copy = json.loads(json.dumps(vector))
    branch = copy["expect"]
    for key in path[:-1]:
        branch = branch[key]
    value = branch[path[-1]]
    if isinstance(value, str):
        branch[path[-1]] = ("1" if value[:1] == "0" else "0") + value[1:]
    else:
        branch[path[-1]] = value + 1
    return copy


class Vectors(unittest.TestCase):
    def test_every_vector(self):
        """All pass; a hash that the firmware lacks is LACKING, and is counted so."""
        counts = {}
        for vector in vectors():
            passed = counts.setdefault(vector["kind"], [0, 0])
            with self.subTest(vector["id"]):
                if lacking(vector):
                    with self.assertRaises(PointError) as raised:
                        CHECKS[vector["kind"]](vector)
                    self.assertEqual(raised.exception.number, LACKING)
                    passed[1] += 1
                else:
                    CHECKS[vector["kind"]](vector)
                    passed[0] += 1
        del REPORT[:]
        for kind in sorted(counts):
            REPORT.append(
                "vectors %s: %d passed, %d lacking" % tuple([kind] + counts[kind])
            )

    def test_there_are_all(self):
        """A file that lost some proves less; a kind that nobody checks fails above."""
        found = vectors()
        self.assertEqual(len(found), 71 + 14)
        self.assertEqual(len(set([vector["id"] for vector in found])), len(found))
        self.assertEqual(sorted(set([v["kind"] for v in found])), sorted(CHECKS))

    def test_each_value_counts(self):
        """A vector with one value changed does not pass, whichever it is."""
        for vector in vectors():
            check, text = CHECKS[vector["kind"]], json.dumps(vector)
            for path in leaves(vector["expect"]):
                if path[-1] in NOT_OURS or lacking(vector):
                    continue
                if path[-1] in NOT_OURS_OF_LOGIN and "batch_login" in text:
                    continue
                with self.subTest("%s %s" % (vector["id"], path)):
                    with self.assertRaises((AssertionError, PointError)):
                        check(spoilt(vector, path))
