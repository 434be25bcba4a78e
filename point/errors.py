"""What can go wrong, by stable numbers. Tens tell who has to act; numbers are never reused."""

from .compat import const

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
# 6x  how the board is set up
SETTING = const(60)
OPTION = const(61)
IMEI = const(62)
# 7x  memory
NO_MEMORY = const(70)

_NAMES = {
    DNS: "DNS",
    CONNECT: "CONNECT",
    TIMEOUT: "TIMEOUT",
    CLOSED: "CLOSED",
    OFFLINE: "OFFLINE",
    TLS: "TLS",
    TLS_NAME: "TLS_NAME",
    TLS_CA: "TLS_CA",
    TLS_DATE: "TLS_DATE",
    HTTP_STATUS: "HTTP_STATUS",
    TOO_LARGE: "TOO_LARGE",
    MALFORMED: "MALFORMED",
    FIELD: "FIELD",
    NO_CODE: "NO_CODE",
    REFUSED: "REFUSED",
    FLASH: "FLASH",
    READ_BACK: "READ_BACK",
    BROKER_REFUSED: "BROKER_REFUSED",
    BROKER_LOST: "BROKER_LOST",
    SETTING: "SETTING",
    OPTION: "OPTION",
    IMEI: "IMEI",
    NO_MEMORY: "NO_MEMORY",
}


class PointError(Exception):
    """One class for every failure.

    `number` is stable, `name` is its short name, `detail` is safe to log: it never
    holds a secret or text that a peer sent.
    """

    def __init__(self, number, detail=""):
        super().__init__(number, detail)
        self.number = number
        self.detail = detail

    @property
    def name(self):
        return _NAMES.get(self.number, "UNKNOWN")

    def __str__(self):
        return "E%d %s: %s" % (self.number, self.name, self.detail)
