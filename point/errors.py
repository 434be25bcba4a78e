"""What can go wrong, by stable numbers, never reused. Tens tell who has to act."""

from .compat import const

# The codes of PointAccess.request() that are not the server's own (document 003 §4.2).
SUCCESS = "00000"
FETCH_FAILED = "77777"
NO_CODE_IN_REPLY = "99999"

# 1x  the network: waiting and trying again is right
DNS = const(10)
CONNECT = const(11)
TIMEOUT = const(12)
CLOSED = const(13)
OFFLINE = const(14)
# 2x  trust: the other side did not prove who it is, or the clock cannot tell
TLS = const(20)
TLS_NAME = const(21)
TLS_CA = const(22)
TLS_DATE = const(23)
# 3x  the reply
HTTP_STATUS = const(30)
TOO_LARGE = const(31)
MALFORMED = const(32)
FIELD = const(33)
NO_CODE = const(34)
REFUSED = const(35)
# 4x  flash
FLASH = const(40)
READ_BACK = const(41)
# 5x  the broker
BROKER_REFUSED = const(50)
BROKER_LOST = const(51)
BROKER_DENIED = const(52)
# 6x  how the board is set up
SETTING = const(60)
OPTION = const(61)
IMEI = const(62)
# 7x  memory
NO_MEMORY = const(70)

_ETIMEDOUT = const(110)
_TLS_EOF = const(29312)  # mbedTLS: the connection indicated an EOF
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

    `number` is stable, `name` is its short name, `detail` is safe to log: it never
    holds a secret or text that a peer sent.
    """

    def __init__(self, number, detail=""):
        self.number = number
        self.detail = detail
        self.name = _name(number)
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
    all else goes by number, since the texts differ between builds.
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
    if code == _ETIMEDOUT:
        return PointError(TIMEOUT, "deadline passed")
    if code in (_OPENSSL_EOF, 32, 103, 104, _TLS_EOF):
        return PointError(CLOSED, "the peer closed the connection")
    if code > 1000 or hasattr(error, "reason"):
        return PointError(TLS, "TLS error %d" % code)
    return PointError(otherwise, "errno %d" % code)
