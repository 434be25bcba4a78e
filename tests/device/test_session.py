"""point.session: connecting, staying connected, and telling refused from lost."""

import unittest

import fakes

from point import session as module
from point.access import PointAccess
from point.errors import (
    BROKER_DENIED,
    BROKER_LOST,
    BROKER_REFUSED,
    CLOSED,
    CONNECT,
    FLASH,
    OFFLINE,
    TIMEOUT,
    TLS_DATE,
    PointError,
)
from point.session import Session

TRUST = {"ca": b"ca", "pins": []}


class Client:
    """What a board's mqtt() gives: it writes down its calls, and fails by script.

    In the script an exception is raised, a function called, and True is an answer.
    """

    def __init__(self, log, failures):
        self._log = log
        self._failures = failures

    def _do(self, *call):
        self._log.append(call)
        queue = self._failures.get(call[0], [])
        error = queue.pop(0) if queue else None
        if callable(error):
            error()
        elif isinstance(error, Exception):
            raise error
        return error

    def connect(self):
        self._do("connect")

    def subscribe(self, topic, qos):
        self._do("subscribe", topic, qos)

    def publish(self, topic, message, qos):
        self._do("publish", topic, message, qos)

    def check(self):
        return self._do("check")

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
        self.prepared = []
        self.fed = 0
        self.offline = None

    def online(self, timeout_s):
        self.prepared.append(("online", timeout_s, len(self.settings)))
        if self.offline:
            raise self.offline

    def feed(self):
        self.fed += 1

    def mqtt(self, settings):
        self.settings.append(settings)
        return Client(self.calls, self.failures)

    def random(self, count):
        return bytes(count)


class Access:
    """As much of a PointAccess as a session sees."""

    timeout_s = 7
    rejected = False

    def __init__(self, board, config, trust):
        self.board = board
        self.device_config = config
        self.trust = trust
        self.confirmed = 0
        self.errors = []

    def confirm(self):
        self.confirmed += 1
        if self.errors:
            raise self.errors.pop(0)

    def set_clock(self):
        self.board.prepared.append(("clock", len(self.board.settings)))


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
        self.access = Access(self.board, config, more.pop("trust", TRUST))
        return Session(self.access, **more)

    def failing(self, verb, *errors):
        self.board.failures[verb] = list(errors)

    def calls(self):
        """What was called since the last look, without the looking."""
        calls = [call for call in self.board.calls if call[0] != "check"]
        self.board.calls.clear()
        return calls


class Connect(Case):
    def test_settings(self):
        """What the board's client is told."""
        session = self.session()
        session.connect()
        given = self.board.settings[0]
        received = given.pop("received")
        self.assertIs(given["trust"], TRUST)
        self.assertEqual(
            given,
            {
                "host": "mqtt.example.com",
                "port": 8883,
                "qos": 1,
                "ssl": 1,
                "trust": TRUST,
                "clientId": "a1B2c3D4e5F.board-0001",
                "user": "board-0001&a1B2c3D4e5F",
                "password": "0123456789abcdef0123456789abcdef",
                "keepAlive": 120,
                "cleanSession": 1,
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
        self.assertEqual((other["port"], other["trust"]), (443, TRUST))
        self.assertEqual(other["cleanSession"], 0)

    def test_never_plain_by_accident(self):
        """Whoever trusts nobody in particular still gets TLS, unless ssl is 0."""
        for trust in (None, {}):
            self.session(trust=trust).connect()
            self.session(trust=trust, connect={"ssl": 1}).connect()
            self.session(trust=trust, connect={"ssl": 0}).connect()
            trusts = [given["trust"] for given in self.board.settings]
            self.assertEqual(trusts, [{}, {}, None])
            self.board.settings.clear()

    def test_network_and_clock_come_first(self):
        """Each connection waits for the network, then sees to the time."""
        session = self.session()
        session.connect()
        session.close()
        session.connect()
        expected = [("online", 7, 0), ("clock", 0), ("online", 7, 1), ("clock", 1)]
        self.assertEqual(self.board.prepared, expected)

    def test_offline(self):
        """Without network the broker is not asked, and it says nothing about it."""
        session = self.session()
        self.board.offline = PointError(OFFLINE)
        for _ in range(9):
            self.assertFalse(session.step())
            self.assertEqual(session.error.name, "OFFLINE")
        self.assertEqual(self.board.settings, [])
        self.assertFalse(self.access.rejected)
        self.board.offline = None
        self.assertTrue(session.step())

    def test_unknown_scheme(self):
        """A scheme that the firmware does not know is told, and asks nobody."""
        session = self.session(connect={"auth": "telepathy"})
        self.assertFalse(session.step())
        self.assertEqual(session.error.name, "SETTING")
        self.assertEqual(self.board.settings, [])

    def test_will(self):
        """What the settings want said at a silent death is the client's to know."""
        will = {"topic": "gone", "message": "x"}
        self.session(connect={"will": will}).connect()
        expected = {"topic": "a1B2c3D4e5F/board-0001/gone", "message": "x"}
        self.assertEqual(self.board.settings[0]["will"], expected)

    def test_nothing_before_it_is_asked_for(self):
        """The constructor connects to nobody, and nothing can be said before."""
        session = self.session()
        self.assertFalse(session.subscribe("a"))
        self.assertFalse(session.publish("a", b"b"))
        session.close()
        self.assertEqual(self.board.calls, [])

    def test_failure_closes(self):
        """connect() raises, and the client is closed."""
        error = PointError(BROKER_REFUSED)
        self.failing("connect", error)
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
    def test_once(self):
        """The first connection confirms, the next ones do not."""
        session = self.session()
        self.failing("connect", PointError(BROKER_REFUSED), None, None)
        self.failing("check", None, PointError(BROKER_LOST), None)
        self.assertFalse(session.step())
        self.assertEqual(self.access.confirmed, 0)
        self.assertTrue(session.step())
        self.assertEqual(self.access.confirmed, 1)
        self.assertFalse(session.step())
        self.assertTrue(session.step())
        self.assertEqual(self.access.confirmed, 1)

    def test_flash_fails(self):
        """The session goes on, `error` says so, and the next connection tries again."""
        session = self.session()
        self.access.errors = [PointError(FLASH, "errno 28")]
        self.assertTrue(session.step())
        self.assertEqual(session.error.name, "FLASH")
        self.assertTrue(session.publish("a", b"b"))
        self.failing("check", PointError(BROKER_LOST))
        self.assertFalse(session.step())
        self.assertTrue(session.step())
        self.assertEqual(self.access.confirmed, 2)
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
            (BROKER_REFUSED, "BROKER_REFUSED"),
            (BROKER_LOST, "BROKER_LOST"),
            (TIMEOUT, "TIMEOUT"),
        ):
            self.failing("connect", PointError(number))
            self.assertFalse(session.step())
            self.assertEqual(session.error.name, name)
        self.assertTrue(session.step())
        self.assertIsNone(session.error)

    def test_no_memory(self):
        """Out of memory is a failure like others: told by name, and tried again."""
        session = self.session()
        self.failing("connect", MemoryError("allocating 3000 bytes"))
        self.assertFalse(session.step())
        self.assertEqual(session.error.name, "NO_MEMORY")
        self.assertTrue(session.step())

    def test_waits(self):
        """After a failure nothing is tried before the wait is over; waits grow."""
        session = self.session()
        self.board.random = lambda count: b"\x80" + bytes(count - 1)
        for wait in (1000, 2000, 4000, 8000):
            self.failing("connect", PointError(CONNECT))
            self.assertFalse(session.step())
            self.assertEqual(self.calls(), [("connect",), ("close",)])
            self.now += wait - 1
            self.assertFalse(session.step())
            self.assertEqual(self.calls(), [])
            self.now += 1
        self.assertTrue(session.step())
        self.failing("check", PointError(CLOSED))
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

    def chatting(self, qos, period_ms):
        """A session that publishes every `period_ms` for ten times keepAlive."""
        session = self.session(connect={"keepAlive": 60, "qos": qos})
        session.step()
        self.calls()
        return session, range(0, 600000, period_ms)

    def test_chatter_that_is_acknowledged(self):
        """Whoever publishes with QoS 1 has its answers, and needs no ping."""
        session, times = self.chatting(1, 1000)
        for _ in times:
            self.now += 1000
            self.assertTrue(session.publish("a", b"b"))
            self.assertTrue(session.step())
        self.assertEqual(set(self.calls()), {("publish", "a", b"b", 1)})

    def test_chatter_that_is_not(self):
        """QoS 0 proves nothing: pings go on, and their answers keep the session."""
        session, times = self.chatting(0, 1000)
        pings = 0
        for _ in times:
            self.now += 1000
            self.assertTrue(session.publish("a", b"b"))
            if ("ping",) in self.calls():
                self.failing("check", True)
            self.assertTrue(session.step())
            pings += ("ping",) in self.board.calls
        self.assertTrue(18 <= pings <= 20, pings)

    def test_half_open(self):
        """A broker that takes everything and says nothing is gone after keepAlive."""
        for qos0 in (False, True):
            session = self.session(connect={"keepAlive": 60, "qos": 0})
            session.step()
            self.calls()
            begun = self.now
            while self.now <= begun + 60000:
                self.assertTrue(session.step(), self.now)
                if qos0:
                    session.publish("a", b"b")
                self.now += 500
            self.now += 1000
            self.assertFalse(session.step())
            self.assertEqual(session.error.name, "BROKER_LOST")
            calls = [call for call in self.calls() if call[0] != "publish"]
            self.assertEqual(calls, [("ping",), ("close",)])
            self.assertTrue(session.step())

    def test_only_hearing(self):
        """Messages from the broker are no word of ours: it is pinged all the same."""
        session = self.session(connect={"keepAlive": 60})
        session.step()
        self.calls()
        for _ in range(130):
            self.now += 1000
            self.failing("check", True)
            self.assertTrue(session.step())
        self.assertEqual(self.calls(), [("ping",)] * 4)

    def test_pings_that_are_answered(self):
        """An idle session lives on two pings for each keepAlive."""
        session = self.session(connect={"keepAlive": 60})
        session.step()
        self.calls()
        pings = 0
        for _ in range(6000):
            self.now += 100
            self.assertTrue(session.step())
            calls = self.calls()
            if calls:
                self.assertEqual(calls, [("ping",)])
                pings += 1
                self.failing("check", None, None, True)
        self.assertTrue(19 <= pings <= 20, pings)

    def test_long_silence_of_ours(self):
        """After a pause of the application the broker is asked before it is lost."""
        session = self.session(connect={"keepAlive": 60})
        session.step()
        self.calls()
        self.now += 80000
        self.assertTrue(session.step())
        self.assertEqual(self.calls(), [("ping",)])
        self.failing("check", True)
        self.assertTrue(session.step())

    def test_fed(self):
        """Each step feeds the watchdog, connected or waiting."""
        session = self.session()
        self.failing("connect", PointError(CONNECT))
        self.board.random = lambda count: b"\xff" * count
        for count in range(1, 9):
            session.step()
            self.assertEqual(self.board.fed, count)

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
        self.failing("ping", PointError(CLOSED))
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
        self.failing("check", PointError(CLOSED, "gone"))
        session.step()
        session.step()
        connected = ("connected", "mqtt.example.com")
        self.assertEqual(log, [connected, ("lost", "E13 CLOSED: gone"), connected])

    def test_connections_are_counted(self):
        """Each one that stands, and no attempt: whoever watches it sees a new one."""
        session = self.session()
        self.failing("connect", PointError(CLOSED), None, PointError(CLOSED))
        self.failing("check", None, PointError(CLOSED))
        found = []
        for _ in range(6):
            session.step()
            found.append(session.connections)
        self.assertEqual(found, [0, 1, 1, 1, 2, 2])


class Rejected(Case):
    def refuse(self, count, number=BROKER_REFUSED):
        self.failing("connect", *[PointError(number) for _ in range(count)])

    def test_after_three_refusals(self):
        """Two may be a broker that restores its accounts; three are an answer."""
        session = self.session()
        self.refuse(9)
        for rejected in (False, False, True):
            self.assertFalse(session.step())
            self.assertIs(self.access.rejected, rejected)
        self.assertEqual(len(self.board.settings), 3)

    def test_rejected_is_left_alone(self):
        """Once rejected, nothing is tried any more."""
        session = self.session()
        self.refuse(3)
        for _ in range(3):
            session.step()
        self.calls()
        for _ in range(9):
            self.now += 10**6
            self.assertFalse(session.step())
        self.assertEqual(self.calls(), [])
        self.assertTrue(self.access.rejected)
        self.assertEqual(session.error.name, "BROKER_REFUSED")

    def test_in_a_row(self):
        """Any other failure between two refusals, or a success, begins anew."""
        for number in (BROKER_LOST, CONNECT, TIMEOUT, CLOSED, TLS_DATE, None):
            session = self.session()
            two = [PointError(BROKER_REFUSED), PointError(BROKER_REFUSED)]
            other = [number and PointError(number)]
            self.failing("connect", *(two + other + two))
            if number is None:
                self.failing("check", None, PointError(CLOSED))
            for _ in range(7):
                session.step()
            self.assertFalse(self.access.rejected, number)
            self.assertTrue(session.step(), number)

    def test_unreachable_for_ever(self):
        """What is not reached has not refused."""
        for number in (BROKER_LOST, CONNECT, TIMEOUT, CLOSED, TLS_DATE):
            session = self.session()
            self.refuse(50, number)
            for _ in range(50):
                self.assertFalse(session.step())
                self.now += 2000000
            self.assertFalse(self.access.rejected)

    def test_topics_say_nothing(self):
        """A refused subscription says nothing about the credentials."""
        session = self.session()
        session.step()
        self.failing("subscribe", *[PointError(BROKER_DENIED) for _ in range(9)])
        for _ in range(9):
            session.subscribe("a")
        self.assertFalse(self.access.rejected)
        self.assertTrue(session.step())


class Whole(unittest.TestCase):
    """With a PointAccess and its flash instead of stand-ins."""

    def setUp(self):
        self.folder = fakes.Folder()
        self.device = fakes.Board(self.folder.path)
        self.calls = []
        self.failures = {}
        self.device.mqtt = lambda settings: Client(self.calls, self.failures)
        self.patch = fakes.Patch()
        self.now = 0
        self.patch.set(module, "ticks_ms", lambda: self.now)

    def tearDown(self):
        self.patch.undo()
        self.folder.remove()

    def access(self, name=None):
        access = PointAccess(self.device, trust=TRUST)
        if name:
            config = fakes.config()
            config["device"]["deviceName"] = name
            access.store.save(config)
        self.assertTrue(access.load())
        return access

    def test_confirmed_by_a_connection(self):
        """What the broker took is what a board goes back to."""
        Session(self.access("first")).step()
        again = self.access("second")
        self.failures["connect"] = [PointError(BROKER_REFUSED) for _ in range(3)]
        session = Session(again)
        for _ in range(3):
            session.step()
        self.assertTrue(again.rejected)
        self.assertEqual(again.ensure("https://a/", {}), "00000")
        self.assertFalse(again.rejected)
        self.assertEqual(again.device_config["device"]["deviceName"], "first")
        self.assertEqual(self.device.connected, [])
        self.assertTrue(Session(again).step())
        again = self.access()
        self.assertEqual(again.device_config["device"]["deviceName"], "first")

    def test_a_claim_that_was_not_needed(self):
        """Confirmed credentials that work again settle the claim that was begun."""
        Session(self.access("first")).step()
        access = self.access()
        access.store.remember({"requestId": "x", "attempts": 15})
        access = self.access()
        self.assertTrue(Session(access).step())
        self.assertEqual(access.store.pending(), {})
        before = [self.folder.read(name) for name in self.folder.names()]
        self.assertTrue(Session(self.access()).step())
        after = [self.folder.read(name) for name in self.folder.names()]
        self.assertEqual(after, before)

    def test_a_reset_that_waits(self):
        """It is no claim: nothing is settled, so nothing written, because of it."""
        Session(self.access("first")).step()
        self.access().claim.keep_reset(True)
        before = [self.folder.read(name) for name in self.folder.names()]
        for _ in range(3):
            access = self.access()
            access.claim.settle = None
            self.assertTrue(Session(access).step())
            self.assertTrue(access.claim.reset)
        after = [self.folder.read(name) for name in self.folder.names()]
        self.assertEqual(after, before)

    def test_a_reset_beside_a_claim(self):
        """A claim that was not needed is settled, the reset stays."""
        Session(self.access("first")).step()
        access = self.access()
        access.store.remember({"requestId": "x", "attempts": 15, "reset": 1})
        self.assertTrue(Session(self.access()).step())
        self.assertEqual(access.store.pending(), {"reset": 1})

    def test_claim_is_settled_by_a_connection(self):
        """A claim ends when its credentials have worked, not before."""
        access = self.access("first")
        access.store.remember({"requestId": "x", "attempts": 24})
        self.failures["connect"] = [PointError(BROKER_REFUSED)]
        session = Session(access)
        session.step()
        self.assertEqual(access.store.pending()["attempts"], 24)
        session.step()
        self.assertEqual(access.store.pending(), {})
        self.assertEqual(access.claim.attempts, 0)


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
        self.failing("check", PointError(CLOSED))
        self.assertFalse(session.step())
        self.assertEqual(self.calls(), [("close",)])
        self.assertTrue(session.step())
        again = [("connect",), ("subscribe", "early", 1), ("subscribe", "late", 1)]
        self.assertEqual(sorted(self.calls()), sorted(again))

    def test_one_topic_refused(self):
        """A refused subscription does not cost the connection."""
        session = self.session()
        session.step()
        self.failing("subscribe", PointError(BROKER_DENIED))
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
            self.failing(verb, PointError(TIMEOUT))
            self.assertFalse(say())
            self.assertEqual(session.error.name, "TIMEOUT")
            self.assertEqual(self.calls()[-1], ("close",))
            self.assertFalse(session.publish("a", b"b"))

    def test_lost_while_subscribing_again(self):
        """The same in the middle of a reconnection: closed once, then tried anew."""
        session = self.session()
        session.subscribe("a")
        session.subscribe("b")
        self.failing("subscribe", PointError(TIMEOUT))
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
        self.failing("check", lambda: self.board.settings[0]["received"](b"a", b"b"))
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
        self.failing("check", lambda: self.board.settings[0]["received"](b"a", b"x"))
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
        self.failing(
            "subscribe", lambda: self.board.settings[0]["received"](b"a", b"x")
        )
        self.assertTrue(session.step())
        found = [call[1] for call in self.calls() if call[0] == "subscribe"]
        for topic in ["a", "b"] + ["more%d" % number for number in range(20)]:
            self.assertIn(topic, found)
