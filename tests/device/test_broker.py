"""point.broker and point.mqttclient under real umqtt.simple, over a scripted socket."""

import unittest

import fakes

from point import stream, trust
from point.broker import BrokerSocket
from point.errors import PointError
from point.mqttclient import Client

try:
    from umqtt import simple
except ImportError:
    raise unittest.SkipTest("umqtt.simple is missing: run make test")  # noqa: B904

CONNACK = b"\x20\x02\0\0"
SUBACK = b"\x90\x03\0\x01\x01"


def settings(**more):
    given = {
        "host": "mqtt.example.com",
        "port": 8883,
        "trust": None,
        "clientId": "id",
        "user": "user",
        "password": "word",
        "keepAlive": 120,
        "cleanSession": True,
        "received": lambda topic, message: None,
    }
    given.update(more)
    return given


def remaining(packet):
    """The remaining length that a packet announces, and the size of its head."""
    length = 0
    for place in range(1, 5):
        length |= (packet[place] & 127) << 7 * (place - 1)
        if packet[place] < 128:
            return length, place + 1


class Case(unittest.TestCase):
    def setUp(self):
        self.patch = fakes.Patch()

    def tearDown(self):
        self.patch.undo()

    def client(self, incoming=CONNACK, sock=None, **more):
        self.sock = sock or fakes.Socket(incoming)
        self.patch.set(stream, "socket", fakes.Network(self.sock))
        self.patch.set(simple, "socket", simple.socket)
        return Client(simple, stream.connect, settings(**more))

    def connected(self, **more):
        client = self.client(**more)
        client.connect()
        self.sock.sent.clear()
        return client

    def failed(self, name, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.name, name)
        return raised.exception


class Packets(Case):
    def test_connect(self):
        """CONNECT, byte by byte, in one write."""
        self.client().connect()
        expected = b"\x10\x1a\0\x04MQTT\x04\xc2\0\x78\0\x02id\0\x04user\0\x04word"
        self.assertEqual(self.sock.sent, [expected])
        self.assertEqual(self.sock.connected, ("mqtt.example.com", 8883))
        self.assertEqual(self.sock.options, [(6, 1, 1)])

    def test_persistent_session(self):
        """cleanSession goes into CONNECT's flags."""
        self.client(cleanSession=False).connect()
        self.assertEqual(self.sock.sent[0][9], 0xC0)

    def test_subscribe(self):
        """SUBSCRIBE, in one write."""
        client = self.connected()
        self.sock.incoming = SUBACK
        client.subscribe("a/b", 1)
        self.assertEqual(self.sock.sent, [b"\x82\x08\0\x01\0\x03a/b\x01"])

    def test_publish(self):
        """PUBLISH with QoS 0 and 1, in one write each."""
        client = self.connected()
        client.publish("a/b", b"hello", 0)
        self.sock.incoming = b"\x40\x02\0\x01"
        client.publish("a/b", b"hello", 1)
        expected = [b"\x30\x0a\0\x03a/bhello", b"\x32\x0c\0\x03a/b\0\x01hello"]
        self.assertEqual(self.sock.sent, expected)

    def test_empty_message(self):
        """A packet without payload is whole after its topic."""
        client = self.connected()
        client.publish("a/b", b"", 0)
        client.ping()
        self.assertEqual(self.sock.sent, [b"\x30\x05\0\x03a/b", b"\xc0\0"])

    def test_ping_and_goodbye(self):
        """PINGREQ and DISCONNECT, in one write each."""
        client = self.connected()
        client.ping()
        client.disconnect()
        self.assertEqual(self.sock.sent, [b"\xc0\0", b"\xe0\0"])
        self.assertEqual(self.sock.closes, 1)

    def test_sizes(self):
        """One write, also where the length takes another byte."""
        client = self.connected()
        for size in (125, 126, 127, 128, 129, 255, 256, 16382, 16383, 16384, 16385):
            self.sock.sent.clear()
            client.publish("a", b"x" * (size - 3), 0)
            self.assertEqual(len(self.sock.sent), 1, size)
            packet = self.sock.sent[0]
            length, head = remaining(packet)
            self.assertEqual((length, len(packet) - head), (size, size))

    def test_long_credentials(self):
        """CONNECT too may be longer than 127 bytes."""
        self.client(clientId="i" * 64, user="u" * 129, password="p" * 256).connect()
        self.assertEqual(len(self.sock.sent), 1)
        length, head = remaining(self.sock.sent[0])
        self.assertEqual(length, 10 + 2 + 64 + 2 + 129 + 2 + 256)
        self.assertEqual(len(self.sock.sent[0]), head + length)

    def test_long_topics(self):
        """Our longest names make topics over 122 bytes, which umqtt.simple garbles."""
        longest = "p" * 64 + "/" + "d" * 64 + "/down"
        for topic in ("t" * 122, "t" * 123, longest, "t" * 250):
            client = self.connected()
            self.sock.incoming = SUBACK
            client.subscribe(topic, 1)
            self.assertEqual(len(self.sock.sent), 1)
            packet = self.sock.sent[0]
            length, head = remaining(packet)
            self.assertEqual(len(packet), head + length)
            name = bytes([0, len(topic)]) + topic.encode()
            self.assertEqual(packet[head:], b"\0\x01" + name + b"\x01")

    def test_acknowledgement_of_a_message(self):
        """A message with QoS 1 is delivered, and acknowledged in one write."""
        got = []
        client = self.connected(received=lambda *message: got.append(message))
        client.check()
        self.assertEqual(got, [])
        self.sock.incoming = b"\x32\x0a\0\x03a/b\0\x07hey\x30\x06\0\x03a/bx"
        client.check()
        client.check()
        client.check()
        self.assertEqual(got, [(b"a/b", b"hey"), (b"a/b", b"x")])
        self.assertEqual(self.sock.sent, [b"\x40\x02\0\x07"])

    def test_looking_does_not_wait(self):
        """check() asks the socket without waiting, and waits for a packet's rest."""
        client = self.connected()
        client.check()
        self.assertEqual(self.sock.timeouts[-1], 0)
        self.sock.incoming = b"\xd0"
        self.failed("TIMEOUT", client.check)
        self.assertGreater(self.sock.timeouts[-1], 0)

    def test_answer_to_a_ping(self):
        """PINGRESP is taken quietly."""
        client = self.connected()
        self.sock.incoming = b"\xd0\0"
        client.check()
        self.assertEqual(self.sock.incoming, b"")

    def test_text_and_length(self):
        """write() takes text, and a length, as MicroPython's sockets do."""
        sock = fakes.Socket()
        self.patch.set(stream, "socket", fakes.Network(sock))
        carrier = BrokerSocket(stream.connect, "a", 1883, None, 5)
        self.assertIs(carrier.socket(2, 1), carrier)
        carrier.connect(carrier.getaddrinfo("a", 1883)[0][-1])
        self.assertEqual(sock.connected, ("a", 1883))
        carrier.write(bytearray(b"\x30\x03\0\0"), 2)
        carrier.write("ab")
        self.assertEqual(sock.sent, [])
        carrier.write("\x7f", 1)
        carrier.settimeout(9)
        self.assertEqual(sock.sent, [b"\x30\x03ab\x7f"])


class Life(Case):
    def test_signs_of_life(self):
        """check() tells whether anything came, a PINGRESP or a message."""
        client = self.connected()
        self.assertFalse(client.check())
        for packet in (b"\xd0\0", b"\x30\x06\0\x03a/bx"):
            self.sock.incoming = packet
            self.assertTrue(client.check())
            self.assertFalse(client.check())

    def test_will(self):
        """A will goes into CONNECT with QoS 1, before user and password."""
        self.client(will={"topic": "t/w", "message": "gone"}).connect()
        expected = b"\x10\x25\0\x04MQTT\x04\xce\0\x78\0\x02id"
        expected += b"\0\x03t/w\0\x04gone\0\x04user\0\x04word"
        self.assertEqual(self.sock.sent, [expected])

    def test_two_clients(self):
        """Each has its own connection, also once the other has been made."""
        first = self.client()
        first.connect()
        one = self.sock
        second = self.client()
        second.connect()
        first.ping()
        self.assertEqual((len(one.sent), len(self.sock.sent)), (2, 1))


class Failures(Case):
    def test_connack(self):
        """2, 4 and 5 say something about the credentials, 1 and 3 do not."""
        for code, name in (
            (1, "BROKER_LOST"),
            (2, "BROKER_REFUSED"),
            (3, "BROKER_LOST"),
            (4, "BROKER_REFUSED"),
            (5, "BROKER_REFUSED"),
            (6, "BROKER_LOST"),
            (255, "BROKER_LOST"),
        ):
            client = self.client(b"\x20\x02\0" + bytes([code]))
            self.failed(name, client.connect)
            client.close()
            self.assertEqual(self.sock.closes, 1)

    def test_not_mqtt(self):
        """Whatever else answers is BROKER_LOST."""
        for answer in (b"HTTP/1.1 400", b"\0\0\0\0", b"\xff" * 9, b"\x20\x03\0\0\0"):
            self.failed("BROKER_LOST", self.client(answer).connect)

    def test_suback(self):
        """A refused subscription is told apart: the connection is fine."""
        client = self.connected()
        self.sock.incoming = b"\x90\x03\0\x01\x80"
        self.failed("BROKER_DENIED", client.subscribe, "a", 1)

    def test_silent_broker(self):
        """A broker that accepts and then says nothing is TIMEOUT."""
        self.failed("TIMEOUT", self.client(b"").connect)
        self.failed("TIMEOUT", self.client(CONNACK[:3]).connect)

    def test_broker_closes(self):
        """At every point of its answer a FIN is CLOSED."""
        for answer in (b"", CONNACK[:1], CONNACK[:3]):
            sock = fakes.Socket(answer, closed=True)
            self.failed("CLOSED", self.client(sock=sock).connect)
        for answer in (
            b"",
            b"\x30",
            b"\x30\x05",
            b"\x30\x05\0\x01",
            b"\x30\x05\0\x01ab",
        ):
            client = self.connected()
            self.sock.incoming = answer
            self.sock.peer_closed = True
            self.failed("CLOSED", client.check)

    def test_closing_twice(self):
        """close() before connecting, and after a failure, is harmless."""
        client = self.client()
        client.close()
        client.connect()
        client.close()
        client.close()

    def test_goodbye_to_nobody(self):
        """disconnect() closes even when the broker is gone."""
        client = self.connected()

        def gone(data):
            raise OSError(104)

        self.sock.send = gone
        client.disconnect()
        self.assertEqual(self.sock.closes, 1)

    def test_secured(self):
        """With trust nothing is sent before the handshake."""

        seen = []

        def refusing(link, sock, host, trusted):
            seen.append((host, trusted))
            raise PointError(22)

        self.patch.set(trust, "wrap", refusing)
        client = self.client(trust={"ca": b"ca"})
        self.failed("TLS_CA", client.connect)
        self.assertEqual(seen, [("mqtt.example.com", {"ca": b"ca"})])
        self.assertEqual(self.sock.sent, [])
        client.close()
        self.assertEqual(self.sock.closes, 1)

    def test_without_trust(self):
        """Trust None is plain TCP; an empty one is TLS with nobody verified."""
        seen = []

        def wrapping(link, sock, host, trusted):
            seen.append((host, trusted))
            return sock, None

        self.patch.set(trust, "wrap", wrapping)
        self.client(trust=None).connect()
        self.assertEqual(seen, [])
        self.client(trust={}).connect()
        self.assertEqual(seen, [("mqtt.example.com", {})])

    def test_connecting_is_bounded(self):
        """One deadline of 30 s from the name on; then each packet has its own."""
        asked = []
        link = fakes.Stream(CONNACK)

        def connecting(*where):
            asked.append(where)
            return link

        self.patch.set(simple, "socket", simple.socket)
        client = Client(simple, connecting, settings(trust={"ca": b"ca"}))
        self.assertEqual(asked, [])
        client.connect()
        self.assertEqual(asked, [("mqtt.example.com", 8883, {"ca": b"ca"}, 30)])
        self.assertEqual(set(link.deadlines), {30})

    def test_one_deadline_for_all(self):
        """With withinS nothing gives it more time, whatever is read or written."""
        asked = []
        link = fakes.Stream(CONNACK + b"\xd0\0", open=True)

        def connecting(*where):
            asked.append(where)
            return link

        self.patch.set(simple, "socket", simple.socket)
        client = Client(simple, connecting, settings(withinS=7))
        client.connect()
        client.ping()
        self.assertTrue(client.check())
        self.assertFalse(client.check())
        client.disconnect()
        self.assertEqual(asked, [("mqtt.example.com", 8883, None, 7)])
        self.assertEqual(link.deadlines, [])

    def test_drip_within_one_deadline(self):
        """A length that never ends, a byte a second, is cut off at withinS."""
        self.assertEqual(self.drips(withinS=5), 5)

    def test_drip_in_a_session(self):
        """It is cut off there too: each look has its 30 s, not each byte."""
        self.assertEqual(self.drips(), 31)

    def drips(self, **more):
        """How many bytes a client takes of such a length."""
        now = [0]
        self.patch.set(stream, "ticks_ms", lambda: now[0])
        client = self.client(**more)
        client.connect()
        drips = []

        def dripping(most):
            now[0] += 1000
            drips.append(b"\x80" if drips else b"\x30")
            return drips[-1]

        self.sock.recv = dripping
        self.failed("TIMEOUT", client.check)
        return len(drips)

    def test_failed_connection(self):
        """What connecting raises comes through, and there is nothing to close."""
        self.patch.set(simple, "socket", simple.socket)
        error = PointError(10)

        def failing(*where):
            raise error

        client = Client(simple, failing, settings())
        self.assertIs(self.failed("DNS", client.connect), error)
        client.close()
        client.disconnect()

    def test_huge_announcement(self):
        """A broker cannot make the board reserve what it announces."""
        client = self.connected()
        self.sock.incoming = b"\x30\xff\xff\xff\x7f\xff\xff"
        self.failed("TOO_LARGE", client.check)
