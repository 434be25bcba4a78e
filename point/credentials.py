"""What credentials may hold: the rules for a reply's `result` (document 003 §4.2.1).

Everything here came from a network, or from a flash that may have rotted. Names end up
in MQTT topics and file names, so they are held to a short alphabet.
"""

from .compat import const
from .errors import FIELD, PointError

_NAME_MAX = const(64)
_TEXT_MAX = const(256)
_HOST_MAX = const(253)

_NAME_MARKS = "-_.:@"
_HOST_MARKS = "-.:"


def _fail(name, why):
    raise PointError(FIELD, "%s %s" % (name, why))


def text(name, value, longest=_TEXT_MAX):
    """Return `value` if it is 1 to `longest` printable ASCII characters, no blanks."""
    if type(value) is not str:
        _fail(name, "is not a string")
    if not 0 < len(value) <= longest:
        _fail(name, "is empty or too long")
    for char in value:
        if not "!" <= char <= "~":
            _fail(name, "holds a character that is not allowed")
    return value


def word(name, value, longest=_NAME_MAX, marks=_NAME_MARKS):
    """Return `value` if it is letters, digits and `marks` only, and no path."""
    text(name, value, longest)
    for char in value:
        if not ("0" <= char <= "9" or "a" <= char.lower() <= "z" or char in marks):
            _fail(name, "holds a character that is not allowed")
    if not value.strip("."):
        _fail(name, "is a path")
    return value


def host(name, value):
    """Return `value` if it can be a host name or an address."""
    return word(name, value, _HOST_MAX, _HOST_MARKS)


def number(name, value, least, most):
    """Return `value` if it is a whole number in range; True and 1.0 are none."""
    if type(value) is not int or not least <= value <= most:
        _fail(name, "is not a number from %d to %d" % (least, most))
    return value


def flag(name, value):
    """Return 0 or 1 for a boolean that some servers spell as a number."""
    if value is True or value is False:
        return int(value)
    return number(name, value, 0, 1)


def _qos(name, value):
    return number(name, value, 0, 1)


def _port(name, value):
    return number(name, value, 1, 65535)


def _seconds(name, value):
    return number(name, value, 0, 65535)


# The members of "connect". Others that a server sends are dropped, not refused: the
# seed lets a customer's server send more.
CONNECT = {
    "qos": _qos,
    "host": host,
    "cleanSession": flag,
    "port": _port,
    "ssl": flag,
    "keepAlive": _seconds,
    "clientId": text,
    "auth": word,
    "region": word,
    "instanceId": word,
    "signMethod": word,
}


def connect(given):
    """The checked members of `given` that CONNECT knows; a null is an absent one."""
    return {k: CONNECT[k](k, given[k]) for k in CONNECT if given.get(k) is not None}


def checked(result):
    """Return a new device_config made of `result`, {"device": {…}, "connect": {…}}.

    Gizwits' `authKey` may be there in place of a deviceSecret. Raises PointError(FIELD)
    that names a member that is missing, of the wrong type, over-long, or holds a
    character that it may not.
    """
    if type(result) is not dict:
        _fail("result", "is not an object")
    for part in ("device", "connect"):
        if type(result.get(part)) is not dict:
            _fail(part, "is not an object")
    device = result["device"]
    settings = {"qos": 0, "cleanSession": 0}  # what the seed says of absent ones
    settings.update(connect(result["connect"]))
    host("host", settings.get("host"))
    found = {
        "productKey": word("productKey", device.get("productKey")),
        "deviceName": word("deviceName", device.get("deviceName")),
    }
    for name in ("productSecret", "deviceSecret", "authKey"):
        found[name] = device.get(name)
        if found[name] is not None:
            text(name, found[name])
    auth_key = found["authKey"]
    if auth_key is None:
        del found["authKey"]  # Gizwits' alone
    if auth_key is None or settings.get("auth") != "gizwits":
        text("deviceSecret", found["deviceSecret"])
    return {"device": found, "connect": settings}
