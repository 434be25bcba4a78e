"""What Alink stands on, in memory: a session that can be cut, and ticks that wrap."""

import json
import unittest

import fakes

from point.aliyun import alink as module
from point.aliyun import countdown
from point.aliyun.alink import Alink

DEVICE = {"productKey": "a1B2c3D4e5F", "deviceName": "board-0001"}
SYS = "/sys/a1B2c3D4e5F/board-0001/"
DAY_MS = 86400000
PERIOD = 1 << 30  # of the ticks on a 32-bit board: 12.4 days


class Session:
    """As much of a Session as Alink sees. `lost` is called instead of a publish.

    Nothing may be asked whose reply would not come: that is an AssertionError."""

    def __init__(self):
        self.connections = 0
        self.up = False
        self.topics = []
        self.published = []
        self.lost = None

    def connect(self):
        self.connections += 1
        self.up = True

    def cut(self):
        self.up = False

    def subscribe(self, topic):
        self.topics.append(topic)
        return self.up

    def publish(self, topic, message):
        if not self.up:
            return False
        if self.lost:
            lost, self.lost = self.lost, None
            return lost()
        if topic[-6:] != "_reply" and topic + "_reply" not in self.topics:
            raise AssertionError("not subscribed to the reply to " + topic)
        self.published.append((topic, json.loads(message)))
        return True


class Case(unittest.TestCase):
    """An Alink over a Session, whose time is `now`, in ms, whatever the ticks say."""

    def setUp(self):
        self.now = PERIOD - 5000  # the ticks come round soon
        self.patch = fakes.Patch()
        for each in (module, countdown):
            self.patch.set(each, "ticks_ms", lambda: self.now % PERIOD)
            self.patch.set(each, "ticks_add", ticks_add)
            self.patch.set(each, "ticks_diff", ticks_diff)
        self.dice = fakes.Dice()
        self.log = []
        self.boot()

    def tearDown(self):
        self.patch.undo()

    def boot(self):
        """Begin anew, as after a power cut: what the session has is lost."""
        self.session = Session()
        self.alink = Alink(self.session, DEVICE, self.dice, self.told)

    def told(self, event, detail):
        self.log.append((event, str(detail)))
        del self.log[:-100]

    def connect(self):
        self.session.connect()
        self.alink.step()

    def wait(self, seconds, step_ms=500):
        """Let time pass, as an application that steps all the while."""
        end = self.now + round(seconds * 1000)
        while self.now < end:
            self.now = min(self.now + step_ms, end)
            self.alink.step()

    def sent(self, name=None):
        """What was published since the last look: (topic's end, members), or the
        members of those whose topic ends in `name`."""
        found = [(t[len(SYS) :], m) for t, m in self.session.published]
        for topic, _ in self.session.published:
            self.assertEqual(topic[: len(SYS)], SYS)
        self.session.published.clear()
        if name is None:
            return found
        return [members for topic, members in found if topic == name]

    def give(self, name, message):
        """Have the cloud send `message`, bytes or what JSON can hold, on a topic."""
        if type(message) is not bytes:
            message = json.dumps(message).encode()
        return self.alink.received((SYS + name).encode(), message)

    def request(self, name, params, number="7"):
        """Have the cloud ask, and return the replies to it."""
        message = {"id": number, "version": "1.0", "params": params}
        message["method"] = name.replace("/", ".")
        return self.answers(name, message)

    def answers(self, name, message):
        """What is published on the reply's topic for any message."""
        self.session.published.clear()
        self.assertTrue(self.give(name, message))
        self.alink.step()
        return self.sent(name + "_reply")

    def reply(self, name, members, code=200, data=None):
        """Have the cloud reply to a request that was sent."""
        message = {"id": members["id"], "code": code, "data": data or {}}
        self.assertTrue(self.give(name + "_reply", message))
        self.alink.step()


def ticks_add(ticks, delta):
    """As a 32-bit board's."""
    if not -(PERIOD >> 1) <= delta < PERIOD >> 1:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) % PERIOD


def ticks_diff(end, start):
    """As a 32-bit board's: from half a period back to half a period ahead."""
    return ((end - start + (PERIOD >> 1)) % PERIOD) - (PERIOD >> 1)


# What is no request and no reply, but valid JSON or not; none has an id to answer to.
NO_MESSAGES = (
    b"",
    b" ",
    b"\0",
    b"\xff\xfe",
    b"null",
    b"7",
    b'"7"',
    b"[]",
    b"{}",
    b'[{"id":"7"}]',
    b'{"id":"7"',
    b'{"id":"7",}',
    b'{"id" "7","params":{}}',
    b'{"id":"7"}{"id":"8"}',
    b'{"id":"7"}\0',
    b'{"id":null,"params":{}}',
    b'{"id":true,"params":{}}',
    b'{"id":-1,"params":{}}',
    b'{"id":1.0,"params":{}}',
    b'{"id":"","params":{}}',
    b'{"id":" 7","params":{}}',
    b'{"id":"7 ","params":{}}',
    b'{"id":"-7","params":{}}',
    b'{"id":"7a","params":{}}',
    b'{"id":"0x7","params":{}}',
    b'{"id":"\xd9\xa3","params":{}}',
    b'{"id":["7"],"params":{}}',
    b'{"id":{"7":7},"params":{}}',
    b'{"id":"123456789012345678901","params":{}}',
    b'{"id":123456789012345678901,"params":{}}',
    b'{"ID":"7","params":{}}',
    b"[" * 5000,
    b'{"id":"7","params":' + b"[" * 9 + b"]" * 9 + b"}",
)


def mutations(dice, message, count):
    """`message` with a byte changed, taken out or put in, or cut: `count` times."""
    for _ in range(count):
        found = bytearray(message)
        for _ in range(1 + dice(1)[0] % 3):
            kind, high, low, byte = dice(4)
            place = (high << 8 | low) % max(len(found), 1)
            if kind < 100:
                found[place : place + 1] = bytes([byte])
            elif kind < 160:
                found[place : place + 1] = b""
            elif kind < 220:
                found[place:place] = bytes([byte])
            else:
                found = found[:place]
        yield bytes(found)
