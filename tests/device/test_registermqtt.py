"""point.aliyun.register_mqtt under real umqtt.simple: packets in, one typed end out."""

import json
import unittest

import cloud
import fakes
from cloud import CONNACK, DATA, KEY, NAME, TRUST, publish

from point import provision, stream
from point.access import PointAccess
from point.aliyun import register_mqtt as registermqtt
from point.aliyun.register_mqtt import Transport
from point.errors import CLOSED, PointError
from point.store import Store

try:
    from umqtt import simple
except ImportError:
    raise unittest.SkipTest("umqtt.simple is missing: run make test")  # noqa: B904

REQUEST = {"productKey": KEY, "deviceName": NAME, "random": "00ff", "sign": "ab12"}
REQUEST["signMethod"] = "hmacsha256"
FOUND = {"productKey": KEY, "deviceName": NAME, "deviceSecret": "s"}
ANSWER = publish(b"/ext/register", json.dumps(FOUND).encode())
TIMEOUT_S = 9


class Script:
    """A broker of which only what it sends is known; the goodbye is not answered."""

    def __init__(self, answer):
        self.answer = answer
        self.packets = []

    def https(self, written):
        raise AssertionError("nobody asks over HTTPS")

    def mqtt(self, packet):
        self.packets.append(packet)
        return self.answer if len(self.packets) == 1 else b""


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = fakes.Folder()
        self.patch = fakes.Patch()
        fakes.hold(self.patch)
        self.patch.set(simple, "socket", simple.socket)
        self.patch.set(provision, "sleep_ms", lambda ms: None)
        self.now = 0
        self.fed = self.hungry = 0
        self.patch.set(registermqtt, "sleep_ms", self.sleep_ms)
        for module in (registermqtt, stream):
            self.patch.set(module, "ticks_ms", lambda: self.now)

    def tearDown(self):
        self.patch.undo()
        self.folder.remove()

    def sleep_ms(self, ms):
        self.now += ms

    def feed(self):
        self.hungry = max(self.hungry, self.now - self.fed)
        self.fed = self.now

    def boot(self, answer, by="mqtt", **more):
        self.broker = Script(answer)
        self.board = cloud.Board(self.folder.path, self.broker, simple)
        self.board.feed = self.feed
        store = Store(self.folder.path)
        access = PointAccess(self.board, None, TRUST, None, TIMEOUT_S, store)
        access.identity = cloud.registration(by, **more)
        return access

    def gives(self, answer, by="mqtt"):
        """The secret that this answer gives."""
        access = self.boot(answer, by)
        self.assertEqual(access.ensure(None, DATA, 1), "00000")
        self.assertEqual(self.board.sockets[0].closes, 1)
        self.assertEqual(self.broker.packets[-1], b"\xe0\0")
        found = access.device_config["device"]["deviceSecret"]
        access.forget()
        return found

    def fails(self, answer, name, code="77777", by="mqtt", ended=None):
        """This answer gives nothing, for a reason of that name."""
        access = self.boot(answer, by)
        if ended:
            ended(access)
        self.assertEqual(access.ensure(None, DATA, 1), code, answer[:60])
        self.assertEqual(access.error.name, name, answer[:60])
        self.assertEqual(access.device_config["device"]["deviceSecret"], "")
        self.assertIsNone(access.source)
        kept = [n for n in self.folder.names() if n[:7] != "pending"]
        self.assertEqual(kept, [])
        self.assertEqual(self.board.sockets[0].closes, 1)
        return access.error.detail


class Packets(Case):
    def ask(self, by="mqtt", **more):
        way = Transport(self.boot(CONNACK + ANSWER, by, **more), None)
        if by == "mqtt":
            self.assertEqual(way.ask(REQUEST), ("00000", FOUND))
        else:
            with self.assertRaises(PointError):
                way.ask(REQUEST)
        way.close()
        return cloud.connect_fields(self.broker.packets[0])

    def test_connect(self):
        """One CONNECT, clean, no will; what asks is in the client id."""
        extension = "random=00ff,authType=register,securemode=2,signmethod=hmacsha256"
        client_id = "%s.%s|%s|" % (NAME, KEY, extension)
        user = NAME + "&" + KEY
        self.assertEqual(self.ask(), (client_id, user, "ab12", 60))
        self.assertEqual(len(self.broker.packets), 2)
        self.assertEqual(self.broker.packets[1], b"\xe0\0")

    def test_forms(self):
        """Both kinds, each with and without an instance."""
        for by, kind in (("mqtt", "register"), ("mqtt-token", "regnwl")):
            found = self.ask(by)[0]
            self.assertIn("authType=%s,securemode=2," % kind, found)
            self.assertNotIn("instanceId", found)
            found = self.ask(by, instanceId="iot-cn-1")[0]
            self.assertIn("authType=%s,securemode=-2," % kind, found)
            self.assertEqual(found[-21:], ",instanceId=iot-cn-1|")

    def test_settings(self):
        """TLS with the board's trust always, also where MQTT shall be plain later."""
        access = self.boot(CONNACK + ANSWER)
        access.overrides = {"ssl": 0}
        access.ensure(None, DATA, 1)
        (settings,) = self.board.settings
        self.assertIs(settings["trust"], TRUST)
        self.assertEqual(settings["withinS"], TIMEOUT_S)
        where = KEY + ".iot-as-mqtt.cn-shanghai.aliyuncs.com", 8883, TRUST, TIMEOUT_S
        self.assertEqual(self.board.connected, [where])

    def test_unused(self):
        """The constructor connects to nobody, and closes quietly."""
        access = self.boot(b"")
        way = Transport(access, None)
        way.close()
        self.assertEqual(self.board.settings, [])


class Answers(Case):
    def test_with_the_connack(self):
        """CONNACK and answer in one segment, or any number."""
        self.assertEqual(self.gives(CONNACK + ANSWER), "s")

    def test_late(self):
        """It may come just before the deadline; the watchdog is fed all the while."""
        access = self.boot(CONNACK)
        sleep_ms = self.sleep_ms

        def late(ms):
            sleep_ms(ms)
            if self.now == (TIMEOUT_S * 1000 - 40):
                self.board.sockets[0].incoming += ANSWER

        self.patch.set(registermqtt, "sleep_ms", late)
        self.assertEqual(access.ensure(None, DATA, 1), "00000")
        self.assertGreater(self.now, 8900)
        self.assertLessEqual(self.hungry, 100)

    def test_acknowledged(self):
        """With QoS 1 it is, and the goodbye comes after."""
        answer = publish(b"/ext/register", json.dumps(FOUND).encode(), 1)
        self.assertEqual(self.gives(CONNACK + answer), "s")
        self.assertEqual(self.broker.packets[1:], [b"\x40\x02\0\x07", b"\xe0\0"])

    def test_other_topics_first(self):
        """Whatever else comes is let go, as much of it as there is."""
        others = b""
        for topic in (
            b"/ext/regnwl",
            b"/ext/registe",
            b"/ext/register/",
            b"ext/register",
        ):
            others += publish(topic, b'{"deviceSecret":"x"}')
        others += publish(b"/sys/a/b", b"x" * 3000, 1) + b"\xd0\0"
        self.assertEqual(self.gives(CONNACK + others + ANSWER), "s")

    def test_the_first_counts(self):
        """A second answer on its heels changes nothing."""
        second = publish(b"/ext/register", b"{}")
        self.assertEqual(self.gives(CONNACK + ANSWER + second), "s")

    def test_token(self):
        """The other form listens on its own topic alone."""
        data = {"productKey": KEY, "deviceName": NAME, "clientId": "c"}
        data["deviceToken"] = "t"
        token = publish(b"/ext/regnwl", json.dumps(data).encode())
        self.assertEqual(self.gives(CONNACK + ANSWER + token, "mqtt-token"), "t")
        self.fails(CONNACK + ANSWER, "TIMEOUT", by="mqtt-token")
        self.fails(CONNACK + token, "TIMEOUT")

    def test_a_flush_that_fails(self):
        """A goodbye that does not get through takes nothing away."""
        access = self.boot(CONNACK + ANSWER)
        connect = self.board._connect

        def connecting(*where):
            link = connect(*where)
            sock = self.board.sockets[0]
            send = sock.send

            def once(data):
                if sock.sent:
                    raise OSError(104)
                return send(data)

            sock.send = once
            return link

        self.board._connect = connecting
        self.assertEqual(access.ensure(None, DATA, 1), "00000")
        self.assertEqual(self.board.sockets[0].closes, 1)


class Refusals(Case):
    def test_connack(self):
        """2, 4 and 5 are the cloud's word; 1, 3 and the rest decide nothing."""
        for code in (2, 4, 5):
            answer = b"\x20\x02\0" + bytes([code])
            detail = self.fails(answer, "REFUSED", "40901")
            self.assertIn("CONNACK %d: active already" % code, detail)
        for code in (1, 3, 6, 255):
            self.fails(b"\x20\x02\0" + bytes([code]), "BROKER_LOST")

    def test_refused_and_answered(self):
        """An answer behind a refusal is none."""
        self.fails(b"\x20\x02\0\x04" + ANSWER, "REFUSED", "40901")


class Failures(Case):
    def test_publish_before_connack(self):
        """An answer before the connection stands is none."""
        self.fails(ANSWER, "BROKER_LOST")
        self.fails(ANSWER + CONNACK, "BROKER_LOST")

    def test_not_mqtt(self):
        """HTTP, noughts, whatever: no answer."""
        for answer in (b"HTTP/1.1 400 Bad Request\r\n", bytes(64), b"\xff" * 64):
            self.fails(answer, "BROKER_LOST")

    def test_garbage_after_connack(self):
        """Each ends in a typed error, at the deadline if nothing else."""
        for garbage in (
            b"\0" * 64,
            b"\xff" * 64,
            b"\x90\x03\0\x01\x80",
            b"HTTP/1.1 200",
        ):
            self.fails(CONNACK + garbage, "TIMEOUT")

    def test_qos_2(self):
        """umqtt.simple cannot; such an answer is not taken."""
        self.fails(CONNACK + publish(b"/ext/register", b"{}", 2), "BROKER_LOST")

    def test_silence(self):
        """No answer at all: one deadline, in time, fed."""
        detail = self.fails(CONNACK, "TIMEOUT")
        self.assertIn("no answer", detail)
        self.assertTrue(TIMEOUT_S * 1000 <= self.now < TIMEOUT_S * 1000 + 100)
        self.assertLessEqual(self.hungry, 100)

    def test_silence_before_connack(self):
        """The same before the connection stands."""
        self.fails(b"", "TIMEOUT")
        self.fails(CONNACK[:3], "TIMEOUT")

    def slow(self, packets, ms):
        """An access whose broker sends `packets` for ever, `ms` for each."""

        def ended(access):
            connect = self.board._connect

            def connecting(*where):
                link = connect(*where)
                sock = self.board.sockets[0]
                recv = sock.recv

                def receiving(most):
                    self.now += ms
                    if not sock.incoming:
                        sock.incoming = packets
                    return recv(most)

                sock.recv = receiving
                return link

            self.board._connect = connecting

        return ended

    def test_flood(self):
        """Messages that never end are left at the deadline."""
        other = publish(b"/sys/a/b", b"x" * 100)
        self.fails(CONNACK, "TIMEOUT", ended=self.slow(other, 10))
        self.assertLess(self.now, TIMEOUT_S * 1000 + 100)

    def test_drip(self):
        """So is a packet that comes a byte a second, wherever in it."""
        for drip in (b"\x80", b"\x30", b"\x20"):
            self.now = 0
            self.fails(CONNACK, "TIMEOUT", ended=self.slow(drip, 1000))
            self.assertLessEqual(self.now, TIMEOUT_S * 1000 + 1000)
            self.now = 0
            access = self.boot(b"")
            self.slow(drip, 1000)(access)
            self.assertEqual(access.ensure(None, DATA, 1), "77777")
            self.assertLessEqual(self.now, TIMEOUT_S * 1000 + 1000)

    def test_closed(self):
        """A connection that ends at any byte before the answer is whole."""

        def closing(access):
            connect = self.board._connect

            def connecting(*where):
                link = connect(*where)
                self.board.sockets[0].peer_closed = True
                return link

            self.board._connect = connecting

        whole = CONNACK + ANSWER
        for end in range(len(whole)):
            self.fails(whole[:end], "CLOSED", ended=closing)

    def test_oversized(self):
        """Announced, or there: too large for a registration."""
        body = json.dumps(FOUND).encode()
        for size, name in ((4097, "TOO_LARGE"), (20000, "TOO_LARGE")):
            answer = publish(b"/ext/register", body + b" " * (size - len(body)))
            self.fails(CONNACK + answer, name)
        answer = publish(b"/ext/register", body + b" " * (4096 - len(body)))
        self.assertEqual(self.gives(CONNACK + answer), "s")
        self.fails(CONNACK + b"\x30\xff\xff\xff\x7f\xff\xff", "TOO_LARGE")

    def test_not_json(self):
        """MALFORMED, also where the answer is empty or a wrapper."""
        body = json.dumps(FOUND).encode()
        for message in (b"", b"x", body[:-1], body + b"}", b"[]", b"null", b"[" * 99):
            answer = publish(b"/ext/register", message)
            self.fails(CONNACK + answer, "MALFORMED")
        wrapped = b'{"code":200,"data":%s}' % body
        self.fails(CONNACK + publish(b"/ext/register", wrapped), "FIELD")

    def test_a_client_that_fails_later(self):
        """What check() raises comes through, and the connection is closed."""

        class Client:
            closes = 0

            def connect(self):
                pass

            def check(self):
                raise PointError(CLOSED, "gone")

            def disconnect(self):
                raise AssertionError("nobody is there")

            def close(self):
                self.closes += 1

        access = self.boot(b"")
        client = Client()
        self.board.mqtt = lambda settings: client
        self.assertEqual(access.ensure(None, DATA, 1), "77777")
        self.assertEqual((access.error.name, client.closes), ("CLOSED", 1))
