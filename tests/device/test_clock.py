"""point.clock: the time from whoever has it, and never an exception."""

import struct
import unittest

import fakes

from point import clock
from point.errors import OFFLINE, PointError

NOW = fakes.NOW
FROM_1900 = 2208988800


def answer(unix_s=NOW, mode=4, stratum=2, size=48):
    """A server's SNTP reply, RFC 4330 §4."""
    reply = bytes([0x18 | mode, stratum, 6, 0xEC]) + bytes(36)
    reply += struct.pack(">II", (unix_s + FROM_1900) & 0xFFFFFFFF, 0)
    return (reply + bytes(32))[:size]


class Socket:
    """A UDP socket: each recv() gives the next of `answers`, or raises it."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []
        self.timeouts = []
        self.closes = 0

    def settimeout(self, seconds):
        self.timeouts.append(seconds)

    def sendto(self, data, address):
        self.sent.append((data, address))

    def recv(self, most):
        found = self.answers.pop(0) if self.answers else OSError(110)
        if isinstance(found, Exception):
            raise found
        return found[:most]

    def close(self):
        self.closes += 1


class Network:
    """A socket module that has UDP, and counts what it is asked."""

    AF_INET = 2
    SOCK_DGRAM = 2

    def __init__(self, sock, found=True):
        self.sock = sock
        self.found = found
        self.kinds = []
        self.asked = []

    def socket(self, *kind):
        self.kinds.append(kind)
        return self.sock

    def getaddrinfo(self, host, port, *more):
        self.asked.append((host, port))
        if isinstance(self.found, Exception):
            raise self.found
        return [(2, 2, 17, "", ("192.0.2.1", port))] if self.found else []


class Case(unittest.TestCase):
    def setUp(self):
        self.patch = fakes.Patch()
        self.network(Socket())
        self.board = fakes.Board()
        self.board.clock = None
        self.clock = clock.Clock(self.board)
        self.told = None
        self.board.network_time = self.network_time

    def tearDown(self):
        self.patch.undo()

    def again(self):
        self.tearDown()
        self.setUp()

    def network(self, sock, found=True):
        self.net = Network(sock, found)
        self.patch.set(clock, "socket", self.net)

    def network_time(self):
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


class Ensure(Case):
    def test_board_is_right(self):
        """A clock that is right is left alone, and nobody is asked."""
        self.told = NOW + 99
        for now in (clock.BUILT, NOW, 4000000000):
            self.board.clock = now
            self.assertEqual(self.clock.ensure(0), now)
        self.assertEqual(self.board.clocks, [])
        self.assertEqual(self.net.asked, [])

    def test_network_time(self):
        """A clock that is not set, or below the build date, is the network's to set."""
        for now in (None, 0, 1, 946684800, clock.BUILT - 1):
            self.board.clock = now
            self.board.clocks.clear()
            self.told = NOW
            self.assertEqual(self.clock.ensure(0), NOW)
            self.assertEqual(self.board.clocks, [NOW])
        self.assertEqual(self.net.asked, [])

    def test_ntp(self):
        """Without network time, or one that cannot be, NTP is asked."""
        for told in (
            None,
            0,
            315532800,
            clock.BUILT - 1,
            PointError(OFFLINE),
            OSError(5),
        ):
            self.board.clock = None
            self.board.clocks.clear()
            self.told = told
            self.network(Socket(answer(NOW + 7)))
            self.assertEqual(self.clock.ensure(0), NOW + 7)
            self.assertEqual(self.board.clocks, [NOW + 7])
            self.assertEqual(self.net.sock.closes, 1)

    def test_floor(self):
        """With nothing better the clock is where this board has lived, or was built."""
        for floor, expected in (
            (0, clock.BUILT),
            (clock.BUILT - 1, clock.BUILT),
            (NOW, NOW),
        ):
            self.again()
            self.assertEqual(self.clock.ensure(floor), expected)
            self.assertEqual(self.board.clocks, [expected])

    def test_what_is_below_the_floor_is_wrong(self):
        """Time does not go back for this board, whoever says so."""
        self.board.clock = NOW - 10
        self.told = NOW - 5
        self.network(Socket(answer(NOW - 1)))
        self.assertEqual(self.clock.ensure(NOW), NOW)
        self.assertEqual(self.board.clocks, [NOW])
        self.assertEqual(self.net.asked, [("pool.ntp.org", 123)])

    def test_insane_answers(self):
        """An NTP answer that is no server's, or from the past, counts for nothing."""
        for reply in (
            b"",
            answer(size=1),
            answer(size=47),
            answer(mode=3),
            answer(mode=5),
            answer(mode=0),
            answer(mode=7),
            answer(stratum=0),
            answer(clock.BUILT - 1),
            answer(0),
            bytes(48),
            b"\x1b" + bytes(47),
            b"\xff" * 47,
        ):
            self.again()
            self.network(Socket(reply))
            self.assertEqual(self.clock.ensure(0), clock.BUILT, reply)
            self.assertEqual(self.board.clocks, [clock.BUILT])
            self.assertEqual(self.net.sock.closes, 1)

    def test_never_raises(self):
        """Whatever fails on the way, and however the runtime says so."""

        class Without(Socket):
            def __init__(self, verb, error):
                Socket.__init__(self, answer())
                setattr(self, verb, self.failing)
                self.error = error

            def failing(self, *arguments):
                raise self.error

        for error in (OSError(110), OSError(-2), OSError()):
            for verb in ("sendto", "recv", "settimeout"):
                self.again()
                self.network(Without(verb, error))
                self.assertEqual(self.clock.ensure(0), clock.BUILT)
                self.assertEqual(self.net.sock.closes, 1)
        for found in (OSError(-2), OSError(), IndexError(), None):  # no name, no list
            self.again()
            self.network(Socket(answer()), found)
            self.assertEqual(self.clock.ensure(0), clock.BUILT)

    def test_no_socket_left(self):
        """A board without a free socket has a floor."""

        def none_left(*kind):
            raise OSError(23)

        self.net.socket = none_left
        self.assertEqual(self.clock.ensure(NOW), NOW)

    def test_a_floor_is_not_the_time(self):
        """A clock that was set to a floor is asked for again, until somebody knows."""
        self.clock.ensure(0)
        self.assertEqual(self.board.clocks, [clock.BUILT])
        self.board.clock += 60
        self.clock.ensure(0)
        self.assertEqual(len(self.net.asked), 2)
        # It went on meanwhile, and is not set back.
        self.assertEqual(self.board.clock, clock.BUILT + 60)
        self.told = NOW
        self.assertEqual(self.clock.ensure(0), NOW)
        self.assertEqual(self.board.clock, NOW)
        self.told = NOW + 5
        self.assertEqual(self.clock.ensure(0), NOW)
        self.assertEqual(len(self.net.asked), 2)

    def test_time_limit(self):
        """NTP gets as long as it is given."""
        self.clock.ensure(0, 3)
        self.assertEqual(self.net.sock.timeouts, [3])


class Ntp(Case):
    def test_asks(self):
        """48 bytes, version 3, a client's; the transmit timestamp is what counts."""
        sock = Socket(answer())
        self.network(sock)
        self.assertEqual(clock.ntp(5), NOW)
        query, address = sock.sent[0]
        self.assertEqual(query, b"\x1b" + bytes(47))
        self.assertEqual(address, ("192.0.2.1", 123))
        self.assertEqual(self.net.kinds, [(2, 2)])
        self.assertEqual((sock.timeouts, sock.closes), ([5], 1))

    def test_another_server(self):
        """Host and port can be chosen."""
        self.network(Socket(answer()))
        clock.ntp(5, "ntp.example.com", 1123)
        self.assertEqual(self.net.asked, [("ntp.example.com", 1123)])

    def test_any_version(self):
        """A server may answer in its own version, with any leap indicator."""
        for head in (0x1C, 0x24, 0xDC, 0xE4):
            self.network(Socket(bytes([head]) + answer()[1:]))
            self.assertEqual(clock.ntp(5), NOW)

    def test_refused(self):
        """What is no server's answer is an OSError, and the socket is closed."""
        for reply in (b"", answer(size=47), answer(mode=3), answer(stratum=0)):
            self.network(Socket(reply))
            with self.assertRaises(OSError):
                clock.ntp(5)
            self.assertEqual(self.net.sock.closes, 1)
