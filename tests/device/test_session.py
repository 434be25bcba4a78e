"""point.session: connecting, staying connected, and telling refused from lost."""

import unittest

import fakes

from point import session as module
from point.errors import PointError
from point.session import Session


class Client:
    """What a board's mqtt() gives: it writes down its calls, and fails by script."""

    def __init__(self, log, failures):
        self._log = log
        self._failures = failures

    def _do(self, *call):
        self._log.append(call)
        queue = self._failures.get(call[0], [])
        error = queue.pop(0) if queue else None
        if callable(error):
            error()
        elif error:
            raise error

    def connect(self):
        self._do("connect")

    def subscribe(self, topic, qos):
        self._do("subscribe", topic, qos)

    def publish(self, topic, message, qos):
        self._do("publish", topic, message, qos)

    def check(self):
        self._do("check")

    def ping(self):
        self._do("ping")

    def disconnect(self):
        self._do("disconnect")

    def close(self):
        self._do("close")


class Board:
    def __init__(self):
        self.calls = []
        self.failures = {}
        self.settings = []

    def mqtt(self, settings):
        self.settings.append(settings)
        return Client(self.calls, self.failures)

    def random(self, count):
        return bytes(count)


class Case(unittest.TestCase):
    def setUp(self):
        self.board = Board()
        self.now = 0
        self.patch = fakes.Patch()
        self.patch.set(module, "ticks_ms", lambda: self.now)

    def tearDown(self):
        self.patch.undo()

    def session(self, **more):
        config = fakes.config()
        config["connect"].update(more.pop("connect", {}))
        return Session(self.board, config, **more)

    def fail(self, verb, *errors):
        self.board.failures[verb] = list(errors)

    def calls(self):
        """What was called since the last look, without the looking."""
        calls = [call for call in self.board.calls if call[0] != "check"]
        self.board.calls.clear()
        return calls


class Connect(Case):
    def test_settings(self):
        """What the board's client is told."""
        session = self.session(ca=b"ca")
        session.connect()
        given = self.board.settings[0]
        received = given.pop("received")
        self.assertEqual(
            given,
            {
                "host": "mqtt.example.com",
                "port": 8883,
                "trust": {"ca": b"ca"},
                "clientId": "a1B2c3D4e5F.board-0001",
                "user": "board-0001&a1B2c3D4e5F",
                "password": "0123456789abcdef0123456789abcdef",
                "keepAlive": 120,
                "cleanSession": True,
            },
        )
        received(b"nobody", b"listens")
        self.assertEqual(session.host, "mqtt.example.com")
        self.assertEqual(session.topic, "a1B2c3D4e5F/board-0001/")

    def test_plain_broker(self):
        """ssl 0 is plain TCP on 1883; a port that is given counts."""
        self.session(connect={"ssl": 0}).connect()
        self.session(connect={"ssl": 1, "port": 443, "cleanSession": 0}).connect()
        plain, other = self.board.settings
        self.assertEqual((plain["port"], plain["trust"]), (1883, None))
        self.assertEqual((other["port"], other["trust"]), (443, {"ca": None}))
        self.assertIs(other["cleanSession"], False)

    def test_nothing_before_it_is_asked_for(self):
        """The constructor connects to nobody, and nothing can be said before."""
        session = self.session()
        self.assertFalse(session.subscribe("a"))
        self.assertFalse(session.publish("a", b"b"))
        session.close()
        self.assertEqual(self.board.calls, [])

    def test_failure_closes(self):
        """connect() raises, and the client is closed."""
        error = PointError(50)
        self.fail("connect", error)
        session = self.session()
        with self.assertRaises(PointError) as raised:
            session.connect()
        self.assertIs(raised.exception, error)
        self.assertEqual(self.calls(), [("connect",), ("close",)])

    def test_goodbye(self):
        """close() says so to the broker, once."""
        session = self.session()
        session.connect()
        session.close()
        session.close()
        self.assertEqual(self.calls(), [("connect",), ("disconnect",)])


class Confirm(Case):
    def confirmed(self):
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)

    def setUp(self):
        Case.setUp(self)
        self.count = 0
        self.errors = []

    def test_once(self):
        """The first connection confirms, the next ones do not."""
        session = self.session(confirmed=self.confirmed)
        self.fail("connect", PointError(50), None, None)
        self.fail("check", None, PointError(51), None)
        self.assertFalse(session.step())
        self.assertEqual(self.count, 0)
        self.assertTrue(session.step())
        self.assertEqual(self.count, 1)
        self.assertFalse(session.step())
        self.assertTrue(session.step())
        self.assertEqual(self.count, 1)

    def test_flash_fails(self):
        """The session goes on, `error` says so, and the next connection tries again."""
        self.errors = [PointError(40, "errno 28")]
        session = self.session(confirmed=self.confirmed)
        self.assertTrue(session.step())
        self.assertEqual(session.error.name, "FLASH")
        self.assertTrue(session.publish("a", b"b"))
        self.fail("check", PointError(51))
        self.assertFalse(session.step())
        self.assertTrue(session.step())
        self.assertEqual(self.count, 2)
        self.assertIsNone(session.error)


class Step(Case):
    def test_connects_and_looks(self):
        """The first step connects; each looks for messages."""
        session = self.session()
        for _ in range(3):
            self.assertTrue(session.step())
        expected = [("connect",), ("check",), ("check",), ("check",)]
        self.assertEqual(self.board.calls, expected)

    def test_refused_and_lost_are_told_apart(self):
        """`error` is the board's, whichever it was; both are tried again."""
        session = self.session()
        for number, name in (
            (50, "BROKER_REFUSED"),
            (51, "BROKER_LOST"),
            (12, "TIMEOUT"),
        ):
            self.fail("connect", PointError(number))
            self.assertFalse(session.step())
            self.assertEqual(session.error.name, name)
        self.assertTrue(session.step())
        self.assertIsNone(session.error)

    def test_waits(self):
        """After a failure nothing is tried before the wait is over; waits grow."""
        session = self.session()
        self.board.random = lambda count: b"\x80" + bytes(count - 1)
        for wait in (1000, 2000, 4000, 8000):
            self.fail("connect", PointError(11))
            self.assertFalse(session.step())
            self.assertEqual(self.calls(), [("connect",), ("close",)])
            self.now += wait - 1
            self.assertFalse(session.step())
            self.assertEqual(self.calls(), [])
            self.now += 1
        self.assertTrue(session.step())
        self.fail("check", PointError(13))
        self.assertFalse(session.step())
        self.calls()
        self.now += 1000
        self.assertTrue(session.step())

    def test_ping(self):
        """At half of keepAlive without a word of ours the broker is pinged."""
        session = self.session(connect={"keepAlive": 60})
        session.step()
        self.calls()
        self.now += 30000
        session.step()
        self.assertEqual(self.calls(), [])
        self.now += 1
        session.step()
        session.step()
        self.assertEqual(self.calls(), [("ping",)])
        self.now += 20000
        session.publish("a", b"b")
        self.now += 20000
        session.step()
        self.assertEqual(self.calls(), [("publish", "a", b"b", 1)])

    def test_no_keep_alive(self):
        """keepAlive 0 means never."""
        session = self.session(connect={"keepAlive": 0})
        session.step()
        self.now += 10**7
        session.step()
        self.assertEqual(self.calls(), [("connect",)])

    def test_failed_ping(self):
        """A ping that fails is a lost broker."""
        session = self.session(connect={"keepAlive": 2})
        session.step()
        self.now += 2000
        self.fail("ping", PointError(13))
        self.assertFalse(session.step())
        self.assertEqual(session.error.name, "CLOSED")

    def test_log(self):
        """Each change is told once."""
        log = []
        session = self.session(
            log=lambda event, detail: log.append((event, str(detail)))
        )
        session.step()
        session.step()
        self.fail("check", PointError(13, "gone"))
        session.step()
        session.step()
        connected = ("connected", "mqtt.example.com")
        self.assertEqual(log, [connected, ("lost", "E13 CLOSED: gone"), connected])


class Talk(Case):
    def test_qos(self):
        """Both directions use the QoS of the credentials."""
        for qos in (0, 1):
            session = self.session(connect={"qos": qos})
            session.step()
            self.calls()
            self.assertTrue(session.subscribe("a"))
            self.assertTrue(session.publish("b", b"c"))
            expected = [("subscribe", "a", qos), ("publish", "b", b"c", qos)]
            self.assertEqual(self.calls(), expected)

    def test_subscriptions_come_back(self):
        """What was subscribed before or during a connection is there after the next."""
        session = self.session()
        session.subscribe("early")
        session.step()
        self.assertEqual(self.calls(), [("connect",), ("subscribe", "early", 1)])
        session.subscribe("late")
        session.subscribe("late")
        self.calls()
        self.fail("check", PointError(13))
        self.assertFalse(session.step())
        self.assertEqual(self.calls(), [("close",)])
        self.assertTrue(session.step())
        again = [("connect",), ("subscribe", "early", 1), ("subscribe", "late", 1)]
        self.assertEqual(sorted(self.calls()), sorted(again))

    def test_one_topic_refused(self):
        """A refused subscription does not cost the connection."""
        session = self.session()
        session.step()
        self.fail("subscribe", PointError(52))
        self.assertFalse(session.subscribe("a"))
        self.assertEqual(session.error.name, "BROKER_DENIED")
        self.assertTrue(session.step())
        self.assertTrue(session.publish("b", b"c"))

    def test_lost_while_speaking(self):
        """A publish or subscribe that fails closes, and the next step connects."""
        session = self.session()
        for verb, say in (
            ("publish", lambda: session.publish("a", b"b")),
            ("subscribe", lambda: session.subscribe("a")),
        ):
            self.assertTrue(session.step())
            self.calls()
            self.fail(verb, PointError(12))
            self.assertFalse(say())
            self.assertEqual(session.error.name, "TIMEOUT")
            self.assertEqual(self.calls()[-1], ("close",))
            self.assertFalse(session.publish("a", b"b"))

    def test_lost_while_subscribing_again(self):
        """The same in the middle of a reconnection: closed once, then tried anew."""
        session = self.session()
        session.subscribe("a")
        session.subscribe("b")
        self.fail("subscribe", PointError(12))
        self.assertFalse(session.step())
        calls = self.calls()
        self.assertEqual([call[0] for call in calls], ["connect", "subscribe", "close"])
        self.assertTrue(session.step())

    def test_messages(self):
        """Topic and message reach the application as bytes."""
        got = []
        session = self.session(received=lambda *message: got.append(message))
        session.step()
        self.board.settings[0]["received"](b"a", b"b")
        self.assertEqual(got, [(b"a", b"b")])

    def test_application_fails(self):
        """What the application raises is told by name, and the session goes on."""
        log = []

        def failing(topic, message):
            raise KeyError("s3cret")

        def told(event, detail):
            log.append((event, str(detail)))

        session = self.session(received=failing, log=told)
        self.fail("check", lambda: self.board.settings[0]["received"](b"a", b"b"))
        self.assertTrue(session.step())
        self.assertEqual(log[-1], ("failed", "the application, by KeyError"))
        self.assertNotIn("s3cret", str(log))

    def test_application_speaks(self):
        """It may publish and subscribe while it is given a message."""
        session = None

        def answering(topic, message):
            session.subscribe("more")
            session.publish("b", message)

        session = self.session(received=answering)
        self.fail("check", lambda: self.board.settings[0]["received"](b"a", b"x"))
        self.assertTrue(session.step())
        expected = [("connect",), ("subscribe", "more", 1), ("publish", "b", b"x", 1)]
        self.assertEqual(self.calls(), expected)

    def test_message_while_subscribing_again(self):
        """A kept message may come before the subscriptions are back."""
        session = None

        def subscribing(topic, message):
            for number in range(20):
                session.subscribe("more%d" % number)

        session = self.session(received=subscribing)
        session.subscribe("a")
        session.subscribe("b")
        self.fail("subscribe", lambda: self.board.settings[0]["received"](b"a", b"x"))
        self.assertTrue(session.step())
        found = [call[1] for call in self.calls() if call[0] == "subscribe"]
        for topic in ["a", "b"] + ["more%d" % number for number in range(20)]:
            self.assertIn(topic, found)
