"""What can go wrong, by numbers that are never reused; docs/errors.md is made of this.

Tens tell who has to act.
"""

from .compat import const

# The codes of PointAccess.request() that are not the server's own (document 003 §4.2).
SUCCESS = "00000"
FETCH_FAILED = "77777"
NO_CODE_IN_REPLY = "99999"

# 1x: wait. The network is not there, or the other side is not; trying again is right.
DNS = const(10)  # the name does not resolve
CONNECT = const(11)  # no answer at the address
TIMEOUT = const(12)  # the deadline of the whole exchange has passed
CLOSED = const(13)  # the other side closed the connection too early
OFFLINE = const(14)  # the board has no network
BROKER_LOST = const(15)  # the broker is gone, silent, or does not speak MQTT
# 2x: operator. The other side did not prove its identity, and nothing was sent to it.
TLS = const(20)  # the handshake failed: no common version, a broken CA file, not TLS
TLS_NAME = const(21)  # the certificate is for another name
TLS_CA = const(22)  # the certificate is not signed by the board's CA
TLS_DATE = const(23)  # the certificate is not valid now, or the clock is wrong
TLS_PIN = const(24)  # the certificate is not a pinned one
UNVERIFIED = const(25)  # neither claim key nor a way to verify: nothing was asked
# 3x: operator. The server answered, but not with credentials.
HTTP_STATUS = const(30)  # another status than 200, and no refusal code
TOO_LARGE = const(31)  # more than a reply or a packet may have
MALFORMED = const(32)  # not HTTP, or not JSON
FIELD = const(33)  # a member is missing, mistyped, too long or not allowed; it is named
NO_CODE = const(34)  # a reply without a code
REFUSED = const(35)  # the server's own refusal; its code is in the detail
SEAL = const(36)  # the reply is not sealed with this board's key
# 4x: firmware. The flash does not keep what it is given.
FLASH = const(40)  # full, read-only or broken; the record from before is still there
READ_BACK = const(41)  # what was read back is not what was written
# 5x: operator. The broker refuses this board.
BROKER_REFUSED = const(50)  # it does not accept the credentials
BROKER_DENIED = const(52)  # it does not allow a subscription
# 6x: firmware. The board is not set up right.
SETTING = const(60)  # settings.json, the CA or the claim key is missing or wrong
OPTION = const(61)  # an argument makes no sense
IMEI = const(62)  # the modem gives no valid IMEI
LACKING = const(63)  # this firmware lacks what is needed; it is named
# 7x: firmware. There is not enough memory.
NO_MEMORY = const(70)  # the heap is too small or in pieces; the flash is unchanged

_WHO = ("wait", "operator", "operator", "firmware", "operator", "firmware", "firmware")
_ETIMEDOUT = const(110)
_ETIMEDOUT_NEWLIB = const(116)  # the ESP32's sockets count as its C library does
_TLS_EOF = const(29312)  # mbedTLS: the connection indicated an EOF
_OPENSSL_ENDED = const(6)  # older CPython: the peer ended TLS, or TCP before it
_OPENSSL_EOF = const(8)
_REFUSED = "the server's certificate is refused"
# mbedTLS joins a sentence for each thing that is wrong; the first of these counts.
_SENTENCES = (
    ("trusted CA", TLS_CA),
    ("(CN)", TLS_NAME),
    ("expired", TLS_DATE),
    ("future", TLS_DATE),
)


class PointError(Exception):
    """One class for every failure.

    `number` is stable, `name` is its short name, `who` can mend it: "wait", "operator"
    or "firmware". `detail` is safe to log: no secret, no unchecked text of a peer.
    """

    def __init__(self, number, detail=""):
        self.number = number
        self.detail = detail
        self.name = _name(number)
        self.who = _WHO[min(number // 10, len(_WHO)) - 1]
        # One argument: an uncaught one then ends a traceback in plain words.
        super().__init__("E%d %s: %s" % (number, self.name, detail))


def _name(number):
    for name, value in globals().items():
        if value == number and name[0] != "_":
            return name
    return "UNKNOWN"


def refine(error, otherwise):
    """Return the PointError that `error` from a socket or from TLS stands for.

    mbedTLS gives its reasons as sentences in a ValueError, OpenSSL as `verify_code`;
    all others are told apart by number: texts differ between builds.
    """
    if isinstance(error, PointError):
        return error
    verify_code = getattr(error, "verify_code", None)
    if verify_code is not None:  # OpenSSL: 9, 10 are dates, 62 and 64 names
        number = {9: TLS_DATE, 10: TLS_DATE, 62: TLS_NAME, 64: TLS_NAME}
        return PointError(number.get(verify_code, TLS_CA), _REFUSED)
    if isinstance(error, ValueError):
        for words, number in _SENTENCES:
            if words in str(error):
                return PointError(number, _REFUSED)
        return PointError(TLS, "handshake failed")
    code = error.args[0] if error.args else 0
    if type(code) is not int:  # words: CPython's "timed out", the resolver's
        number = TIMEOUT if "timed" in str(code) else otherwise
        return PointError(DNS if "addr" in str(code) else number, "no number")
    code = abs(code)
    if code == _ETIMEDOUT or code == _ETIMEDOUT_NEWLIB:
        return PointError(TIMEOUT, "deadline passed")
    is_tls = hasattr(error, "reason")
    if is_tls and code == _OPENSSL_ENDED:
        code = _OPENSSL_EOF
    if code in (_OPENSSL_EOF, 32, 103, 104, _TLS_EOF):
        return PointError(CLOSED, "the peer closed the connection")
    if code > 1000 or is_tls:
        return PointError(TLS, "TLS error %d" % code)
    return PointError(otherwise, "errno %d" % code)
