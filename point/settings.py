"""settings.json, which a firmware engineer fills in. An unknown key is an error."""

from . import credentials, strictjson
from .errors import SETTING, PointError
from .seal import unhexed

_WILL = ("topic", "message")
_POLICIES = ("device-key", "product-secret", "open")


def _url(name, value):
    credentials.text(name, value, 512)
    if not value.startswith("https://"):
        raise PointError(SETTING, "url does not begin with https://")
    return value


def _mqtt(name, value):
    if type(value) is not dict:
        raise PointError(SETTING, "mqtt is not an object")
    value = dict(value)
    will = value.pop("will", None)
    _known("mqtt.", value, credentials.CONNECT)
    checked = credentials.connect(value)
    if will is not None:
        if type(will) is not dict or len(will) != 2:
            raise PointError(SETTING, "mqtt.will is not a topic and a message")
        checked["will"] = {k: credentials.text(k, will.get(k)) for k in _WILL}
    return checked


def _pins(name, value):
    if type(value) is not list:
        raise PointError(SETTING, "pins is not a list")
    for pin in value:
        credentials.text(name, pin, 64)
        if len(pin) != 64 or pin.strip("0123456789abcdefABCDEF"):
            raise PointError(SETTING, "a pin is not a SHA-256 in hex")
    return [unhexed(pin) for pin in value]


def _seconds(name, value):
    return credentials.number(name, value, 0, 3600)


def _timeout(name, value):
    return credentials.number(name, value, 1, 600)


_RULES = {
    "url": _url,
    "productKey": credentials.word,
    "ca": credentials.word,  # a DER file beside this one
    "pins": _pins,
    "policy": credentials.word,
    "productSecret": credentials.text,
    "timeoutS": _timeout,
    "spreadS": _seconds,
    "mqtt": _mqtt,
}


def _known(where, given, keys):
    for key in given:
        if key not in keys:
            raise PointError(SETTING, "unknown setting %s%s" % (where, key))


def parse(text):
    """Return what settings.json says, every default filled in, from its bytes.

    Always there: url, productKey, policy, timeoutS, spreadS, mqtt, pins (a list of 32
    bytes each). If given: ca, productSecret. Raises PointError(SETTING) that names the
    key that is unknown, missing or wrong.
    """
    try:
        given = strictjson.loads(text)
    except ValueError as error:
        raise PointError(SETTING, "settings.json is not JSON: " + str(error))
    if type(given) is not dict:
        raise PointError(SETTING, "settings.json is not an object")
    _known("", given, _RULES)
    settings = {"policy": _POLICIES[0], "timeoutS": 30, "spreadS": 60}
    settings["mqtt"], settings["pins"] = {}, []
    for key in given:
        try:
            settings[key] = _RULES[key](key, given[key])
        except PointError as error:
            raise PointError(SETTING, error.detail)
    if settings["policy"] not in _POLICIES:
        raise PointError(SETTING, "policy is none of " + ", ".join(_POLICIES))
    wanted = ["url", "productKey"] + ([] if settings["pins"] else ["ca"])
    if settings["policy"] == "product-secret":
        wanted.append("productSecret")
    for key in wanted:
        if key not in given:
            raise PointError(SETTING, "%s is missing" % key)
    return settings
