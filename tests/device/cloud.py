"""Alibaba's cloud in memory, as far as it registers boards."""

import json

import fakes

from point import stream
from point.aliyun import login as aliyun
from point.mqttclient import Client

KEY = "a1B2c3D4e5F"
NAME = "board-0001"
PRODUCT_SECRET = "s3cret-of-product"
DATA = {"imei": "490154203237518", "productKey": KEY}
TRUST = {"ca": b"ca"}
WAYS = ("https", "mqtt", "mqtt-token")


def registration(by, **more):
    """What setup.prepare() makes of settings.json."""
    found = {"source": "aliyun", "by": by}
    found.update({"deviceName": NAME, "productSecret": PRODUCT_SECRET})
    found.update({"region": None, "instanceId": None, "signMethod": "hmacsha256"})
    found.update(more)
    return found


def connect_fields(packet):
    """(client id, user, password, keep-alive) of a CONNECT, MQTT 3.1.1 §3.1."""
    place = 1
    while packet[place] & 128:
        place += 1
    head = packet[place + 1 : place + 9]
    if packet[0] != 0x10 or head != b"\0\x04MQTT\x04\xc2":
        raise AssertionError("another CONNECT: %r" % packet[:12])
    keep_alive = packet[place + 9] << 8 | packet[place + 10]
    place += 11
    found = []
    while place < len(packet):
        size = packet[place] << 8 | packet[place + 1]
        found.append(packet[place + 2 : place + 2 + size].decode())
        place += 2 + size
    return tuple(found) + (keep_alive,)


def publish(topic, message, qos=0):
    """A PUBLISH, MQTT 3.1.1 §3.3."""
    body = bytes([len(topic) >> 8, len(topic) & 255]) + topic
    body += (b"\0\x07" if qos else b"") + message
    length = len(body)
    head = bytes([0x30 | qos << 1])
    while length > 127:
        head += bytes([length & 127 | 128])
        length >>= 7
    return head + bytes([length]) + body


CONNACK = b"\x20\x02\0\0"


class Cloud:
    """Answers both ways of asking, from `script` first: functions of the request.

    What it saw is in `asked`: dicts with the names of the HTTPS form, over MQTT with
    "kind" and the others of the client id. A device whose name is in `active` is
    refused.
    """

    def __init__(self):
        self.script = []
        self.asked = []
        self.active = []
        self.issued = []
        self.events = []

    def https(self, written):
        """The reply to a POST, for fakes.Board's replies."""
        head, body = written.decode().split("\r\n\r\n")
        request = dict([pair.split("=") for pair in body.split("&")])
        request["head"] = head
        request["instanceId"] = None
        return self._answered(request, self._https)

    def mqtt(self, packet):
        """What comes back for a packet."""
        if packet[0] != 0x10:
            self.events.append({0x40: "puback", 0xE0: "goodbye"}[packet[0]])
            return b""
        client_id, user, password, _ = connect_fields(packet)
        bare, extension, rest = client_id.split("|")
        members = dict([pair.split("=") for pair in extension.split(",")])
        name, key = user.split("&")
        if (bare, rest) != (name + "." + key, ""):
            raise AssertionError("another client id: " + client_id)
        request = {"productKey": key, "deviceName": name, "sign": password}
        request["random"] = members["random"]
        request["signMethod"] = members["signmethod"]
        request["kind"] = members["authType"]
        request["securemode"] = members["securemode"]
        request["instanceId"] = members.get("instanceId")
        return self._answered(request, self._mqtt)

    def _answered(self, request, honest):
        self.asked.append(request)
        self.events.append("asked")
        return (self.script.pop(0) if self.script else honest)(request)

    def refuses(self, request):
        """Whether the device has been active, or the signature is another."""
        names = {n: request[n] for n in ("productKey", "deviceName", "random")}
        sign = aliyun.sign(request["signMethod"], PRODUCT_SECRET, names)
        return request["sign"] != sign or request["deviceName"] in self.active

    def data(self, request):
        """What an honest answer tells: another secret each time."""
        self.issued.append("secret-%d" % len(self.issued))
        found = {n: request[n] for n in ("productKey", "deviceName")}
        if request.get("kind") == "regnwl":
            found["clientId"] = "given-client-id"
            found["deviceToken"] = self.issued[-1]
        else:
            found["deviceSecret"] = self.issued[-1]
        return found

    def _https(self, request):
        if self.refuses(request):
            return fakes.http(b'{"code":6288,"message":"no\\r\\nForged: line"}')
        return in_http(self.data(request))

    def _mqtt(self, request):
        if self.refuses(request):
            return b"\x20\x02\0\x04"
        return CONNACK + in_publish(request, self.data(request))


def in_http(data):
    """An HTTPS answer that grants."""
    return fakes.http(json.dumps({"code": 200, "data": data}).encode())


def in_publish(request, data, qos=0):
    """The PUBLISH that answers a CONNECT."""
    topic = b"/ext/" + request["kind"].encode()
    return publish(topic, json.dumps(data).encode(), qos)


class Socket(fakes.Socket):
    """One connection over MQTT; each packet that is sent moves the answer in."""

    def __init__(self, answer):
        fakes.Socket.__init__(self)
        self._answer = answer

    def send(self, data):
        self.incoming += self._answer(bytes(data))
        return fakes.Socket.send(self, data)


class Board(fakes.Board):
    """A board on the cloud's network, over umqtt.simple and our streams.

    `umqtt` is the module umqtt.simple, or None where only HTTPS is asked for."""

    def __init__(self, directory, cloud, umqtt=None):
        fakes.Board.__init__(self, directory, [cloud.https])
        self.cloud = cloud
        self.umqtt = umqtt
        self.sockets = []
        self.settings = []
        self.dice = fakes.Dice()

    def random(self, count):
        return self.dice(count) if count == 16 else fakes.Board.random(self, count)

    def mqtt(self, settings):
        self.settings.append(settings)
        return Client(self.umqtt, self._connect, settings)

    def _connect(self, host, port, trust, timeout_s):
        self.connected.append((host, port, trust, timeout_s))
        self.sockets.append(Socket(self.cloud.mqtt))
        return stream.Stream(self.sockets[-1], timeout_s)
