"""point.trust: pins, and what TLS is asked for, over stand-ins for TLS."""

import unittest

import fakes

from point import trust
from point.digest import sha256
from point.errors import PointError

CERTIFICATE = b"\x30\x82 the leaf, as DER"
PIN = sha256(CERTIFICATE)
OTHER = sha256(b"another")
SOCK = object()


class Secure:
    """A TLS connection whose peer has shown `certificate`."""

    def __init__(self, certificate=CERTIFICATE):
        self._certificate = certificate
        self.closes = 0

    def getpeercert(self, binary):
        if not binary:
            raise AssertionError("asked for a dict")
        return self._certificate

    def close(self):
        self.closes += 1


class Old:
    """TLS before MicroPython 1.20: no contexts, so no CA."""

    def __init__(self, secure=None):
        self.secure = secure or Secure()
        self.wrapped = []

    def wrap_socket(self, sock, server_hostname=None):
        self.wrapped.append(server_hostname)
        return self.secure


class Library:
    """tls, or ssl: SSLContext writes down what it is told."""

    PROTOCOL_TLS_CLIENT = 16
    CERT_NONE = 0
    CERT_REQUIRED = 2

    def __init__(self, secure=None, by_place=False):
        self.secure = secure or Secure()
        self.by_place = by_place
        self.contexts = []

    def SSLContext(self, protocol):
        self.contexts.append(Context(self, protocol))
        return self.contexts[-1]


class Context:
    def __init__(self, library, protocol):
        self.library = library
        self.protocol = protocol
        self.check_hostname = True
        self.verify_mode = 2
        self.loaded = []
        self.wrapped = []

    def load_verify_locations(self, *places, **names):
        if self.library.by_place and names:
            raise TypeError
        self.loaded.append(names["cadata"] if names else places[0])
        if not self.loaded[-1]:
            raise ValueError("invalid cert")

    def wrap_socket(self, sock, server_hostname=None):
        self.wrapped.append((sock, server_hostname))
        if isinstance(self.library.secure, Exception):
            raise self.library.secure
        return self.library.secure


class Case(unittest.TestCase):
    def setUp(self):
        self.patch = fakes.Patch()

    def tearDown(self):
        self.patch.undo()

    def wrap(self, trusted, over_transport=True, **more):
        self.tls = Library(**more)
        self.patch.set(trust, "tls", self.tls)
        self.patch.set(trust, "_OVER_TRANSPORT", over_transport)
        try:
            return trust.wrap(fakes.Stream(), SOCK, "p.example.com", trusted)
        finally:
            self.context = self.tls.contexts[-1]


class Pins(Case):
    def refused(self, pins, secure):
        with self.assertRaises(PointError) as raised:
            trust.check_pins(secure, pins)
        self.assertEqual(raised.exception.name, "TLS_PIN")
        self.assertEqual(secure.closes, 1)

    def test_right(self):
        """The peer's certificate is the pinned one, or one of them."""
        for pins in ([PIN], [OTHER, PIN], [PIN, OTHER], [OTHER, OTHER, PIN]):
            secure = Secure()
            trust.check_pins(secure, pins)
            self.assertEqual(secure.closes, 0)

    def test_wrong(self):
        """Any other certificate is refused, and the connection is closed at once."""
        for pins in ([OTHER], [OTHER, sha256(b"third")], [PIN[:31]], [PIN + b"\0"]):
            self.refused(pins, Secure())
        self.refused([b""], Secure())
        for bit in range(256):
            broken = bytearray(PIN)
            broken[bit // 8] ^= 1 << bit % 8
            self.refused([bytes(broken)], Secure())

    def test_no_certificate(self):
        """A peer that has shown none has not the pinned one, nor an empty one."""
        for certificate in (None, b""):
            for pins in ([PIN], [b""], [b"", OTHER]):
                self.refused(pins, Secure(certificate))

    def test_firmware_that_shows_none(self):
        """Where TLS cannot show the certificate no pin can be right."""

        class Blind:
            closes = 0

            def close(self):
                self.closes += 1

        self.refused([PIN], Blind())

    def test_without_pins(self):
        """Where none is set nothing is asked for."""

        class Mute:
            pass

        for pins in (None, []):
            trust.check_pins(Mute(), pins)


class Wrap(Case):
    def test_ca(self):
        """With a CA it is loaded, required, and the name goes into the handshake."""
        for by_place in (False, True):
            for over_transport in (False, True):
                found = self.wrap({"ca": b"der"}, over_transport, by_place=by_place)
                self.assertEqual(self.context.loaded, [b"der"])
                self.assertEqual(self.context.verify_mode, Library.CERT_REQUIRED)
                self.assertTrue(self.context.check_hostname)
                self.assertEqual(self.context.protocol, Library.PROTOCOL_TLS_CLIENT)
                sock, name = self.context.wrapped[0]
                self.assertEqual(name, "p.example.com")
                if over_transport:
                    self.assertIsNot(sock, SOCK)
                    self.assertEqual(found, (SOCK, self.tls.secure))
                else:
                    self.assertIs(sock, SOCK)
                    self.assertEqual(found, (self.tls.secure, None))

    def test_nothing_to_verify(self):
        """Without a CA TLS verifies nobody; it never does so for an empty file."""
        for trusted in ({}, {"ca": None}, {"pins": []}, {"ca": None, "pins": None}):
            for over_transport in (False, True):
                self.wrap(trusted, over_transport)
                self.assertEqual(self.context.verify_mode, Library.CERT_NONE)
                self.assertEqual(self.context.loaded, [])
        with self.assertRaises(ValueError):
            self.wrap({"ca": b""})
        self.assertEqual(self.context.wrapped, [])

    def test_pins_alone(self):
        """A pin needs no CA and no clock: only the certificate that was shown."""
        self.wrap({"pins": [OTHER, PIN]})
        self.assertEqual(self.context.verify_mode, Library.CERT_NONE)
        self.assertEqual(self.tls.secure.closes, 0)

    def test_wrong_pin(self):
        """It ends in TLS_PIN on both ways to carry TLS, with TLS closed."""
        for over_transport in (False, True):
            for trusted in ({"pins": [OTHER]}, {"ca": b"der", "pins": [OTHER]}):
                with self.assertRaises(PointError) as raised:
                    self.wrap(trusted, over_transport)
                self.assertEqual(raised.exception.name, "TLS_PIN")
                self.assertEqual(self.tls.secure.closes, 1)

    def test_both_must_hold(self):
        """A right pin does not make up for a certificate that the CA did not sign."""
        trusted = {"ca": b"der", "pins": [PIN]}
        self.wrap(trusted)
        self.assertEqual(self.context.verify_mode, Library.CERT_REQUIRED)
        with self.assertRaises(ValueError):
            self.wrap(trusted, secure=ValueError("not signed by a trusted CA"))

    def old(self, trusted, secure=None):
        self.tls = Old(secure)
        self.patch.set(trust, "tls", self.tls)
        self.patch.set(trust, "_OVER_TRANSPORT", True)
        return trust.wrap(fakes.Stream(), SOCK, "p.example.com", trusted)

    def test_old_firmware(self):
        """Without SSLContext a pin still holds; a CA alone cannot, and says so."""
        for trusted in (
            {"pins": [PIN]},
            {"ca": b"der", "pins": [PIN]},
            {},
            {"pins": []},
        ):
            self.assertEqual(self.old(trusted), (SOCK, self.tls.secure))
            self.assertEqual(self.tls.wrapped, ["p.example.com"])
        for trusted, name in (
            ({"ca": b"der"}, "UNVERIFIED"),
            ({"ca": b""}, "UNVERIFIED"),
            ({"ca": b"der", "pins": []}, "UNVERIFIED"),
            ({"pins": [OTHER]}, "TLS_PIN"),
            ({"ca": b"der", "pins": [OTHER]}, "TLS_PIN"),
        ):
            with self.assertRaises(PointError) as raised:
                self.old(trusted)
            self.assertEqual(raised.exception.name, name)


class Transport(unittest.TestCase):
    """What MicroPython's TLS sees of the socket; CPython's never looks."""

    def setUp(self):
        class Link:
            def __init__(self):
                self.script = []
                self.calls = []

            def receive(self, most):
                self.calls.append(most)
                return self._next()

            def send(self, data):
                self.calls.append(bytes(data))
                return self._next()

            def _next(self):
                found = self.script.pop(0)
                if isinstance(found, Exception):
                    raise found
                return found

        self.link = Link()
        self.transport = trust.StreamIO(self.link)

    def test_read(self):
        """Bytes go into the buffer, 512 at a time; nothing yet is None, the end 0."""
        buffer = bytearray(2000)
        self.link.script = [b"hello", None, b""]
        self.assertEqual(self.transport.readinto(buffer), 5)
        self.assertEqual(bytes(buffer[:6]), b"hello\0")
        self.assertIsNone(self.transport.readinto(memoryview(buffer)[:3]))
        self.assertEqual(self.transport.readinto(buffer), 0)
        self.assertEqual(self.link.calls, [512, 3, 512])

    def test_write(self):
        """What was taken is told."""
        self.link.script = [3, None]
        self.assertEqual(self.transport.write(b"hello"), 3)
        self.assertIsNone(self.transport.write(b"lo"))
        self.assertEqual(self.link.calls, [b"hello", b"lo"])

    def test_failures(self):
        """An exception would leave through the C library: a negative errno does not."""
        for number in (110, -110, 104, 11):
            self.link.script = [OSError(number), OSError(number)]
            self.assertEqual(self.transport.readinto(bytearray(9)), -abs(number))
            self.assertEqual(self.transport.write(b"x"), -abs(number))

    def test_ioctl(self):
        """Nothing is asked of it that it could fail at."""
        self.assertEqual(self.transport.ioctl(3, 1), 0)
