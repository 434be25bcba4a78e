"""point.stream: one deadline over every step, on sockets that misbehave by script."""

import unittest

import fakes

from point import stream
from point.errors import PointError


class Case(unittest.TestCase):
    def setUp(self):
        self.patch = fakes.Patch()

    def tearDown(self):
        self.patch.undo()

    def connect(self, sock, host="a", timeout_s=5):
        self.patch.set(stream, "socket", fakes.Network(sock))
        return stream.connect(host, 80, None, timeout_s)

    def failed(self, name, call, *arguments):
        with self.assertRaises(PointError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.name, name)


class Connect(Case):
    def test_plain(self):
        """No delay is asked for, and the time limit is set, before connecting."""
        sock = fakes.Socket()
        self.connect(sock)
        self.assertEqual(sock.options, [(6, 1, 1)])
        self.assertEqual(sock.connected, ("a", 80))
        self.assertEqual(len(sock.timeouts), 1)
        self.assertTrue(0 < sock.timeouts[0] <= 5)
        self.assertEqual(sock.closes, 0)

    def test_no_name(self):
        """Every runtime's way to say that a name does not resolve is DNS."""
        for error in (
            OSError(-2),
            OSError(-202),
            OSError(),
            IndexError(),
            UnicodeError(),
        ):

            class Failing(fakes.Network):
                def getaddrinfo(self, *arguments, error=error):
                    raise error

            self.patch.set(stream, "socket", Failing(None))
            self.failed("DNS", stream.connect, "a", 80)

    def test_nothing_found(self):
        """So is an empty list."""

        class Empty(fakes.Network):
            def getaddrinfo(self, *arguments):
                return []

        self.patch.set(stream, "socket", Empty(None))
        self.failed("DNS", stream.connect, "a", 80)

    def test_no_socket_left(self):
        """A board has few sockets; when none is free that is a PointError too."""

        class Full(fakes.Network):
            def socket(self, *kind):
                raise OSError(23)

        self.patch.set(stream, "socket", Full(None))
        self.failed("CONNECT", stream.connect, "a", 80)

    def test_refused(self):
        """The socket is closed when connecting fails."""
        for number, name in ((111, "CONNECT"), (113, "CONNECT"), (110, "TIMEOUT")):

            class Refusing(fakes.Socket):
                def connect(self, address, number=number):
                    raise OSError(number)

            sock = Refusing()
            self.failed(name, self.connect, sock)
            self.assertEqual(sock.closes, 1)

    def test_no_time_left(self):
        """With no time nothing is tried."""
        sock = fakes.Socket()
        self.failed("TIMEOUT", self.connect, sock, "a", 0)
        self.assertIsNone(sock.connected)
        self.assertEqual(sock.closes, 1)


class Bytes(Case):
    def test_read_gathers(self):
        """A read ends with its count, however small the pieces."""

        class Dripping(fakes.Socket):
            def recv(self, most):
                return fakes.Socket.recv(self, 1)

        link = self.connect(Dripping(b"hello"))
        self.assertEqual(link.read(3), b"hel")
        self.failed("TIMEOUT", link.read, 3)

    def test_read_at_the_end(self):
        """When the peer has closed a read gives what there was."""
        link = self.connect(fakes.Socket(b"hel", closed=True))
        self.assertEqual(link.read(5), b"hel")
        self.assertEqual(link.read(5), b"")

    def test_tls_at_the_end(self):
        """MicroPython's TLS gives all that was asked for, or else the peer is done."""

        class Tls:
            pieces = [b"hel", b"never read"]

            def read(self, count):
                return self.pieces.pop(0)

        link = self.connect(fakes.Socket())
        link._tls = Tls()
        self.assertEqual(link.read(5), b"hel")
        self.assertEqual(len(Tls.pieces), 1)

    def test_look(self):
        """While it does not wait, a read without bytes is None, and then it waits."""
        sock = fakes.Socket()
        link = self.connect(sock)
        link.waits = False
        self.assertIsNone(link.read(1))
        self.assertEqual(sock.timeouts[-1], 0)
        sock.incoming = b"x"
        self.assertEqual(link.read(1), b"x")

    def test_read_fails(self):
        """A reset is CLOSED, a time-out TIMEOUT, under any runtime's number for it."""

        for number, name in ((104, "CLOSED"), (11, "TIMEOUT"), (110, "TIMEOUT")):

            class Failing(fakes.Socket):
                def recv(self, most, number=number):
                    raise OSError(number)

            self.failed(name, self.connect(Failing()).read, 1)

    def test_write_fails(self):
        """The same for sending."""
        for number, name in ((11, "TIMEOUT"), (110, "TIMEOUT"), (32, "CLOSED")):

            class Full(fakes.Socket):
                def send(self, data, number=number):
                    raise OSError(number)

            self.failed(name, self.connect(Full()).write, b"x")

    def test_write_goes_on(self):
        """What a socket does not take at once is sent in the next piece."""
        sock = fakes.Socket(most=3)
        self.connect(sock).write(b"12345678")
        self.assertEqual(sock.sent, [b"123", b"456", b"78"])

    def test_deadline(self):
        """After the deadline nothing is sent or awaited; within() moves it."""
        sock = fakes.Socket(b"x")
        link = self.connect(sock)
        link.within(0)
        self.failed("TIMEOUT", link.read, 1)
        self.failed("TIMEOUT", link.write, b"x")
        self.assertEqual(sock.sent, [])
        link.within(1)
        self.assertEqual(link.read(1), b"x")

    def test_deadline_is_for_all(self):
        """A peer that drips gains no time: each wait is shorter than the one before."""

        class Dripping(fakes.Socket):
            def recv(self, most):
                stream.ticks_ms.now += 400
                return b"x"

        class Clock:
            now = 0

            def __call__(self):
                return self.now

        self.patch.set(stream, "ticks_ms", Clock())
        sock = Dripping()
        link = self.connect(sock, timeout_s=1)
        self.failed("TIMEOUT", link.read, 100)
        self.assertEqual([round(t * 10) for t in sock.timeouts], [10, 10, 6, 2])

    def test_close_never_complains(self):
        """Closing is not worth an error."""

        class Stuck(fakes.Socket):
            def close(self):
                raise OSError(9)

        self.connect(Stuck()).close()
