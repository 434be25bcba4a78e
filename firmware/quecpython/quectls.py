"""TLS by QuecPython's ussl: by CA where the firmware takes one, by pin everywhere.

Pins are checked before a byte of ours is sent; for who would tell a secret, one of both
has to hold.
"""

import ussl

from point.compat import binascii, const
from point.errors import TLS, UNVERIFIED, PointError
from point.trust import StreamIO, check_pins

_EAGAIN = const(11)


def takes_ca():
    """Whether this firmware's TLS verifies a server by CA: asked, not guessed."""
    try:
        ussl.wrap_socket(None, ca="")
    except TypeError:  # there is no such argument
        return False
    except Exception:
        pass  # None is no socket; but the argument was taken
    return True


class _Tls:
    """What ussl gives, but a read that finds nothing is None on newer firmware too."""

    def __init__(self, tls):
        self._tls = tls
        self.write = tls.write
        self.close = tls.close

    def read(self, count):
        try:
            return self._tls.read(count)
        except OSError as error:
            if abs(error.args[0]) != _EAGAIN:
                raise


def shake_hands(stream, host, trust):
    """A TLS object over `stream`, as point.trust.wrap(). Raises OSError, ValueError or
    PointError(TLS or TLS_PIN)."""
    ca = trust.get("ca")
    options = {"server_hostname": host}
    if ca is not None:
        if ca[:1] != b"\x30":
            raise PointError(TLS, "the CA is not DER")
        if takes_ca():
            options["ca"] = _pem(ca)
    try:
        made = ussl.wrap_socket(StreamIO(stream), **options)
    except RuntimeError:
        raise PointError(TLS, "handshake failed")
    check_pins(made, trust.get("pins"))
    return _Tls(made)


def _pem(der):
    text = binascii.b2a_base64(der).decode()
    return "-----BEGIN CERTIFICATE-----\n" + text + "-----END CERTIFICATE-----\n"


def connect_verified(host, port, trust, timeout_s):
    """Connect; PointError(UNVERIFIED) if this firmware would ignore the CA."""
    from quecsocket import connect

    if trust and trust.get("ca") and not trust.get("pins") and not takes_ca():
        raise PointError(UNVERIFIED, "this firmware takes no CA: set pins")
    return connect(host, port, trust, timeout_s)
