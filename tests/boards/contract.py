"""What every board.py must hold, as firmware/template/board.py promises it.

Runs on the board's own runtime: tests/run.py tests/boards/contract.py. The environment
says where the board and its shims are (BOARD_PATH, the board's folder first), what its
flash is (FLASH), and where the servers of tests/boards/runner.py listen.
"""
# ruff: noqa: E402, PT009, PT027, UP031 - unittest and device dialect: boards run this

import os
import sys
import time
import unittest

sys.path[:0] = os.getenv("BOARD_PATH").split(":")

if os.getenv("PRELUDE"):  # it makes the runtime like the board's, before all else
    __import__(os.getenv("PRELUDE"))

import board
from point.errors import PointError
from point.seal import unhexed

board.DIR = os.getenv("FLASH")

HERE = "127.0.0.1"
METHODS = ("connect", "subscribe", "publish", "check", "ping", "disconnect", "close")


def port(name):
    return int(os.getenv(name))


def trust(prefix=""):
    """The CA and the pin of our server: every board can check one of them."""
    with open(os.getenv(prefix + "CA"), "rb") as file:
        return {"ca": file.read(), "pins": [unhexed(os.getenv(prefix + "PIN"))]}


def settings(number, **more):
    given = {
        "host": HERE,
        "port": number,
        "trust": None,
        "clientId": "id-0",
        "user": "user",
        "password": "word",
        "keepAlive": 60,
        "cleanSession": True,
        "received": lambda topic, message: None,
    }
    given.update(more)
    return given


def at_broker(**more):
    """Settings that the real broker accepts."""
    given = settings(port("BROKER_PORT"), trust=trust("BROKER_"))
    given["user"] = os.getenv("BROKER_USER")
    given["password"] = os.getenv("BROKER_PASSWORD")
    given.update(more)
    return given


class Contract(unittest.TestCase):
    def failed(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        return raised.exception.name

    def test_constants(self):
        """DIR is the flash's folder, VERIFIES says whether certificates are checked."""
        self.assertIsInstance(board.DIR, str)
        os.listdir(board.DIR)
        self.assertIn(board.VERIFIES, (True, False))

    def test_imei(self):
        """15 valid digits, the same each time, or PointError(IMEI)."""
        try:
            imei = board.imei()
        except PointError as error:
            self.assertEqual(error.name, "IMEI")
            return
        self.assertEqual(len(imei), 15)
        self.assertTrue(imei.isdigit())
        self.assertEqual(board.imei(), imei)

    def test_online(self):
        """It returns None, or raises PointError(OFFLINE) in time."""
        try:
            self.assertIsNone(board.online(1))
        except PointError as error:
            self.assertEqual(error.name, "OFFLINE")

    def test_random(self):
        """As many bytes as requested, and different ones each time."""
        for count in (0, 1, 2, 16, 257):
            found = board.random(count)
            self.assertIsInstance(found, bytes)
            self.assertEqual(len(found), count)
        seen = [board.random(16) for _ in range(20)]
        for number, found in enumerate(seen):
            self.assertNotIn(found, seen[:number])
        self.assertGreater(len(set(board.random(256))), 64)

    def test_now(self):
        """Unix seconds as an integer, or None: never the year 2000."""
        found = board.now()
        if found is not None:
            self.assertIs(type(found), int)
            self.assertGreater(found, 1700000000)

    def test_network_time(self):
        """The same from the network; asking sets no clock."""
        found = board.network_time()
        if found is not None:
            self.assertIs(type(found), int)
            self.assertGreater(found, 1700000000)

    def test_set_clock(self):
        """It accepts Unix seconds, and afterwards now() is not before them."""
        now = board.now() or 1800000000
        self.assertIsNone(board.set_clock(now))
        found = board.now()
        if found is not None:
            self.assertGreaterEqual(found, now)

    def test_claim_key(self):
        """32 bytes, the same each time, or PointError(SETTING)."""
        try:
            key = board.claim_key()
        except PointError as error:
            self.assertEqual(error.name, "SETTING")
            self.assertIn(os.getenv("CLAIM_KEY"), (None, "bad"))
            return
        self.assertIsInstance(key, bytes)
        self.assertEqual(len(key), 32)
        self.assertEqual(board.claim_key(), key)
        self.assertEqual(os.getenv("CLAIM_KEY"), "good")

    def test_flash_key(self):
        """None, or 32 bytes: the same each time, and not the claim key."""
        try:
            key = board.flash_key()
        except PointError as error:  # if it is made from the IMEI
            self.assertEqual(error.name, "IMEI")
            return
        if key is not None:
            self.assertIsInstance(key, bytes)
            self.assertEqual(len(key), 32)
            self.assertEqual(board.flash_key(), key)
            self.assertNotEqual(key, bytes(32))

    def test_feed(self):
        """It works with and without a watchdog, and returns None."""
        self.assertIsNone(board.feed())

    def test_connect(self):
        """A stream: written bytes arrive, and received bytes can be read."""
        stream = board.connect(HERE, port("ECHO_PORT"), None, 5)
        try:
            stream.write(b"hello")
            self.assertEqual(stream.read(2), b"he")
            self.assertEqual(stream.read(3), b"llo")
            stream.within(0.3)
            self.assertEqual(self.failed(stream.read, 1), "TIMEOUT")
        finally:
            stream.close()

    def test_connect_fails(self):
        """Each failure has its number."""
        closed, mute = port("CLOSED_PORT"), port("SILENT_PORT")
        self.assertEqual(self.failed(board.connect, HERE, closed, None, 5), "CONNECT")
        self.assertEqual(self.failed(board.connect, "a..b", mute, None, 5), "DNS")
        trust = {"ca": None}
        self.assertEqual(self.failed(board.connect, HERE, mute, trust, 0.3), "TIMEOUT")
        self.assertEqual(self.failed(board.connect, HERE, mute, None, 0), "TIMEOUT")
        bad = {"ca": b"no certificate"}
        self.assertEqual(self.failed(board.connect, HERE, mute, bad, 5), "TLS")

    def test_mqtt(self):
        """An unconnected client, with the methods that Session calls."""
        client = board.mqtt(settings(port("CLOSED_PORT")))
        for name in METHODS:
            self.assertTrue(callable(getattr(client, name)), name)
        self.assertEqual(self.failed(client.connect), "CONNECT")
        client.close()

    def test_mqtt_within(self):
        """A broker that does not answer is left after the settings' timeout."""
        client = board.mqtt(settings(port("SILENT_PORT"), withinS=0.3))
        begun = time.time()
        self.assertEqual(self.failed(client.connect), "TIMEOUT")
        self.assertLess(time.time() - begun, 4)
        client.close()

    def test_mqtt_with_something_else(self):
        """A server that is not a broker is PointError(BROKER_LOST)."""
        client = board.mqtt(settings(port("ECHO_PORT")))
        self.assertEqual(self.failed(client.connect), "BROKER_LOST")
        client.close()


class Stream(unittest.TestCase):
    """The streams of connect(), in unusual cases."""

    def setUp(self):
        self.streams = []

    def tearDown(self):
        for stream in self.streams:
            stream.close()

    def connect(self, name, trust=None, timeout_s=5, host=HERE):
        self.streams.append(board.connect(host, port(name), trust, timeout_s))
        return self.streams[-1]

    def failed(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        return raised.exception.name

    def test_no_bytes(self):
        """Reading and writing nothing always works."""
        stream = self.connect("ECHO_PORT")
        self.assertEqual(stream.read(0), b"")
        stream.write(b"")
        stream.write(b"x")
        self.assertEqual(stream.read(0), b"")
        self.assertEqual(stream.read(1), b"x")

    def test_many_bytes(self):
        """More bytes than any buffer on the way holds arrive in order."""
        stream = self.connect("ECHO_PORT", timeout_s=20)
        data = bytes(range(256)) * 160
        stream.write(data)
        self.assertTrue(stream.read(len(data)) == data)

    def test_memoryview(self):
        """Every buffer type can be written."""
        stream = self.connect("ECHO_PORT")
        stream.write(memoryview(b"hello")[1:3])
        stream.write(bytearray(b"!"))
        self.assertEqual(stream.read(3), b"el!")

    def test_end(self):
        """What the peer sent before it closed arrives, then b"" for ever."""
        stream = self.connect("BYE_PORT")
        self.assertEqual(stream.read(9), b"bye")
        for _ in range(3):
            self.assertEqual(stream.read(1), b"")

    def test_deadline_that_has_passed(self):
        """After a deadline nothing works until a new one is set."""
        stream = self.connect("ECHO_PORT")
        stream.within(0)
        self.assertEqual(self.failed(stream.read, 1), "TIMEOUT")
        self.assertEqual(self.failed(stream.write, b"x"), "TIMEOUT")
        stream.within(5)
        stream.write(b"y")
        self.assertEqual(stream.read(1), b"y")

    def test_nothing_yet(self):
        """Without waiting, a read returns None until something has arrived."""
        stream = self.connect("ECHO_PORT")
        stream.waits = False
        self.assertIsNone(stream.read(1))
        stream.waits = True
        stream.write(b"z")
        self.assertEqual(stream.read(1), b"z")

    def test_closed_twice(self):
        """Closing never fails; using a closed stream does."""
        for options in ((None,), (trust(),)):
            name = "TLS_PORT" if options[0] else "ECHO_PORT"
            stream = self.connect(name, options[0])
            stream.close()
            stream.close()
            self.assertIn(self.failed(stream.write, b"x"), ("CLOSED", "TLS"))
            self.assertIn(self.failed(stream.read, 1), ("CLOSED", "TLS"))

    def test_cut_handshake(self):
        """A peer that closes in the middle of the handshake is CLOSED."""
        found = self.failed(self.connect, "CUT_PORT", {})
        self.assertIn(found, ("CLOSED", "TLS"))

    def test_not_tls(self):
        """A peer that does not speak TLS is a TLS error."""
        self.assertEqual(self.failed(self.connect, "ECHO_PORT", {}), "TLS")

    def test_tls(self):
        """Many bytes arrive both ways over verified TLS, too."""
        stream = self.connect("TLS_PORT", trust(), 20)
        data = bytes(range(256)) * 130
        stream.write(data)
        self.assertTrue(stream.read(len(data)) == data)
        stream.within(0.3)
        self.assertEqual(self.failed(stream.read, 1), "TIMEOUT")

    def test_tls_nothing_yet(self):
        """Without waiting, a read returns None here as well."""
        stream = self.connect("TLS_PORT", trust())
        stream.waits = False
        self.assertIsNone(stream.read(1))
        stream.waits = True
        stream.write(b"hello")
        self.assertEqual(stream.read(5), b"hello")

    def test_tls_without_trust(self):
        """Without trust, no server is verified."""
        stream = self.connect("STRANGER_PORT", {})
        self.assertEqual(stream.read(0), b"")

    def test_pin(self):
        """A pin alone is enough, without CA, name or clock."""
        stream = self.connect("TLS_PORT", {"pins": trust()["pins"]}, 5, "localhost")
        stream.write(b"hello")
        self.assertEqual(stream.read(5), b"hello")

    def test_other_pin(self):
        """A server with another certificate receives no byte."""
        for name in ("STRANGER_PORT", "NAME_PORT"):
            found = self.failed(self.connect, name, {"pins": trust()["pins"]})
            self.assertEqual(found, "TLS_PIN")
        pins = {"ca": trust()["ca"], "pins": [b"p" * 32]}
        self.assertEqual(self.failed(self.connect, "TLS_PORT", pins), "TLS_PIN")

    def test_verifies(self):
        """VERIFIES is right once the board is online."""
        board.online(5)
        try:
            self.connect("STRANGER_PORT", {"ca": trust()["ca"]})
            verified = False
        except PointError as error:
            self.assertIn(error.name, ("TLS_CA", "TLS"))
            verified = True
        self.assertIs(board.VERIFIES, verified)

    def test_wrong_name(self):
        """A certificate for another name is refused if certificates are verified."""
        if board.VERIFIES:
            only_ca = {"ca": trust()["ca"]}
            found = self.failed(self.connect, "NAME_PORT", only_ca)
            self.assertIn(found, ("TLS_NAME", "TLS"))
        both = trust()
        self.assertIn(
            self.failed(self.connect, "NAME_PORT", both),
            ("TLS_NAME", "TLS") if board.VERIFIES else ("TLS_PIN",),
        )


class Broker(unittest.TestCase):
    """The clients of mqtt(), with a real broker and an unusual one."""

    def setUp(self):
        self.came = []
        self.client = None

    def tearDown(self):
        if self.client:
            self.client.close()

    def connect(self, given):
        given["received"] = lambda topic, message: self.came.append((topic, message))
        self.client = board.mqtt(given)
        self.client.connect()
        return self.client

    def failed(self, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        return raised.exception.name

    def until(self, done=None):
        """Call check() until `done()`, or until it returns True, for at most 10 s."""
        for _ in range(500):
            came = self.client.check()
            if done() if done else came:
                return
            time.sleep(0.02)
        self.fail("it did not come in time")

    def test_round(self):
        """A published message comes back to a subscriber; topic and text are bytes."""
        client = self.connect(at_broker(clientId="round"))
        topic = os.getenv("BROKER_TOPIC") + "round"
        client.subscribe(topic, 1)
        self.assertFalse(client.check())
        for qos in (0, 1):
            message = b"%d" % qos * 300
            self.assertIsNone(client.publish(topic, message, qos))
            self.until(lambda: self.came)
            self.assertEqual(self.came.pop(), (topic.encode(), message))
        client.disconnect()
        client.close()

    def test_ping(self):
        """The answer to a ping is noticed, and is not a message."""
        client = self.connect(at_broker(clientId="ping"))
        self.assertFalse(client.check())
        client.ping()
        self.until()
        self.assertEqual(self.came, [])

    def test_refused(self):
        """Wrong credentials are refused, which is not a lost connection."""
        for more in ({"password": "wrong"}, {"user": "nobody", "password": "x"}):
            client = board.mqtt(at_broker(clientId="refused", **more))
            self.assertEqual(self.failed(client.connect), "BROKER_REFUSED")
            client.close()

    def test_refusal_codes(self):
        """Codes 2, 4 and 5 are about credentials; 1 and 3 are not."""
        expected = {2: "BROKER_REFUSED", 4: "BROKER_REFUSED", 5: "BROKER_REFUSED"}
        for code in (1, 2, 3, 4, 5):
            given = settings(port("ODD_BROKER_PORT"), clientId="id-%d" % code)
            client = board.mqtt(given)
            found = self.failed(client.connect)
            self.assertEqual(found, expected.get(code, "BROKER_LOST"), str(code))
            client.close()

    def test_denied(self):
        """A refused subscription is reported, and the connection stays."""
        client = self.connect(at_broker(clientId="denied"))
        self.assertEqual(self.failed(client.subscribe, "others/x", 1), "BROKER_DENIED")
        client.subscribe(os.getenv("BROKER_TOPIC") + "x", 1)

    def test_message_first(self):
        """A message before an acknowledgement is delivered, and both are handled."""
        client = self.connect(settings(port("ODD_BROKER_PORT")))
        client.subscribe("topic", 1)
        self.until(lambda: self.came)
        self.assertEqual(self.came.pop(), (b"first", b"hi"))
        client.publish("topic", b"message", 1)
        self.until(lambda: self.came)
        self.assertEqual(self.came, [(b"first", b"ho")])
        client.ping()
        self.until()

    def test_publishing_when_received(self):
        """The callback of a message may publish an answer."""
        answered = []

        def answer(topic, message):
            if not answered:
                answered.append(message)
                self.client.publish("answer", b"to " + message, 1)

        self.client = board.mqtt(settings(port("ODD_BROKER_PORT"), received=answer))
        self.client.connect()
        self.client.subscribe("topic", 0)
        self.until(lambda: answered)
        self.assertEqual(answered, [b"hi"])
        self.client.publish("topic", b"another", 1)

    def test_broker_that_leaves(self):
        """A lost connection is noticed at the latest when it is used."""
        client = self.connect(settings(port("ODD_BROKER_PORT")))
        with self.assertRaises(PointError) as raised:
            client.subscribe("leave", 1)
            self.until(lambda: False)
        self.assertIn(raised.exception.name, ("CLOSED", "BROKER_LOST"))

    def test_broker_not_to_be_trusted(self):
        """An unverified broker receives nothing, so no password."""
        for name in ("STRANGER_PORT", "NAME_PORT"):
            for given in (trust(), {"ca": trust()["ca"]}):
                client = board.mqtt(settings(port(name), trust=given))
                found = self.failed(client.connect)
                self.assertIn(found[:3], ("TLS", "UNV"))
                client.close()


class Restart(unittest.TestCase):
    def test_restart(self):
        """It ends the program, here by SystemExit, online or not, more than once."""
        for _ in range(2):
            with self.assertRaises(SystemExit):
                board.restart()
