"""TLS: the server proves who it is before a byte of ours is sent.

On MicroPython TLS runs over our own transport, so that the stream's deadline bounds
the handshake too, however slowly its bytes come.
"""

from .compat import io, tls
from .digest import equal, sha256
from .errors import TLS_PIN, UNVERIFIED, PointError

# CPython can only put TLS over a real socket; there, settimeout() bounds the handshake.
_OVER_TRANSPORT = not hasattr(tls, "MemoryBIO")


def wrap(stream, sock, host, trust):
    """Shake hands with `host` over `sock`, return (socket, TLS object or None).

    `trust`: {"ca": a CA as DER, "pins": SHA-256 of certificates that the server may
    have}, each optional; with both, both must hold. On CPython the TLS object takes the
    socket's place. Raises OSError, ValueError, or PointError(TLS_PIN or UNVERIFIED).
    """
    ca = trust.get("ca")
    pins = trust.get("pins")
    end = StreamIO(stream) if _OVER_TRANSPORT else sock
    if hasattr(tls, "SSLContext"):
        secure = _context(ca).wrap_socket(end, server_hostname=host)
    elif ca is None or pins:
        # MicroPython before 1.20 takes no CA, but shows the certificate it was given.
        secure = tls.wrap_socket(end, server_hostname=host)
    else:
        raise PointError(UNVERIFIED, "this firmware takes no CA: set pins")
    check_pins(secure, pins)
    return (sock, secure) if _OVER_TRANSPORT else (secure, None)


def check_pins(secure, pins):
    """Raise PointError(TLS_PIN) unless the peer of `secure` has a pinned certificate.

    This needs no clock and no CA, and works on firmware that can check neither.
    """
    if pins:
        try:
            found = sha256(secure.getpeercert(True))
        except (AttributeError, TypeError):  # it cannot show it, so it is not the one
            found = b""
        if not [pin for pin in pins if found and equal(pin, found)]:
            secure.close()
            raise PointError(TLS_PIN, "the server's certificate is not a pinned one")


def _context(ca):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    if ca is None:
        if not _OVER_TRANSPORT:
            context.check_hostname = False  # CPython wants this first
        context.verify_mode = tls.CERT_NONE
        return context
    context.verify_mode = tls.CERT_REQUIRED
    try:
        context.load_verify_locations(cadata=ca)
    except TypeError:  # MicroPython's C module takes it by place only
        context.load_verify_locations(ca)
    return context


class StreamIO(io.IOBase):
    """What TLS reads and writes on MicroPython: a Stream, and so its deadline.

    It answers in negative errnos: an exception would leave through the TLS library.
    """

    def __init__(self, stream):
        self._stream = stream

    def readinto(self, buffer):
        try:
            data = self._stream.receive(min(len(buffer), 512))
        except OSError as error:
            return -abs(error.args[0])
        if data is not None:
            buffer[: len(data)] = data
            return len(data)

    def write(self, data):
        try:
            return self._stream.send(data)
        except OSError as error:
            return -abs(error.args[0])

    def ioctl(self, request, argument):
        return 0
