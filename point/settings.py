"""settings.json, which a firmware engineer fills in. An unknown key is an error."""

from . import credentials, strictjson
from .errors import SETTING, PointError
from .seal import unhexed

_SOURCES = ("access", "aliyun", "gizwits")
_POLICIES = ("device-key", "product-secret", "open")
# What one source knows and another does not. Each cloud has a settings module too.
_OWN = ("policy", "deviceName", "register", "region", "instanceId", "signMethod")


def _fail(why):
    raise PointError(SETTING, why)


def _url(name, value):
    credentials.text(name, value, 512)
    if not value.startswith("https://"):
        _fail("url does not begin with https://")
    return value


def _mqtt(name, value):
    if type(value) is not dict:
        _fail("mqtt is not an object")
    value = dict(value)
    will = value.pop("will", None)
    _known("mqtt.", value, credentials.CONNECT)
    checked = credentials.connect(value)
    if will is not None:
        if type(will) is not dict or len(will) != 2:
            _fail("mqtt.will is not a topic and a message")
        for key in ("topic", "message"):
            credentials.text(key, will.get(key))
        checked["will"] = will
    return checked


def _pins(name, value):
    if type(value) is not list:
        _fail("pins is not a list")
    found = []
    for pin in value:
        credentials.text(name, pin, 64)
        if len(pin) != 64 or pin.strip("0123456789abcdefABCDEF"):
            _fail("a pin is not a SHA-256 in hex")
        found.append(unhexed(pin))
    return found


# By key: a tuple of the values that are allowed, a list of the least and the greatest
# number, or a function that checks the value and returns it.
_RULES = {
    "url": _url,
    "productKey": credentials.word,
    "ca": credentials.word,  # a DER file beside this one
    "pins": _pins,
    "productSecret": credentials.text,
    "timeoutS": [1, 600],
    "spreadS": [0, 3600],
    "mqtt": _mqtt,
    "source": _SOURCES,
}


def _known(where, given, keys):
    for key in given:
        if key not in keys:
            if key in _OWN and not where:
                _fail(key + " does not go with this source")
            _fail("unknown setting " + where + key)


def _check(rule, name, value):
    if type(rule) is tuple:
        if value not in rule:
            _fail(name + " is not one of " + ", ".join(rule))
        return value
    try:
        if type(rule) is list:
            return credentials.number(name, value, *rule)
        return rule(name, value)
    except PointError as error:
        _fail(error.detail)


def parse(text):
    """Return what settings.json says, every default filled in, from its bytes.

    Always there: source, productKey, timeoutS, spreadS, mqtt, pins (a list of 32 bytes
    each), and policy or what the cloud's settings module adds. If given: url,
    which one source needs, ca, productSecret. Raises PointError(SETTING) that names the
    key that is unknown, missing or wrong.
    """
    try:
        given = strictjson.loads(text)
    except ValueError as error:
        _fail("settings.json is not JSON: %s" % error)
    if type(given) is not dict:
        _fail("settings.json is not an object")
    source = given.get("source", _SOURCES[0])
    rules, settings, wanted = _rules_of(source, given)
    rules.update(_RULES)
    _known("", given, rules)
    settings.update(source=source, timeoutS=30, spreadS=60, mqtt={}, pins=[])
    for key in given:
        settings[key] = _check(rules[key], key, given[key])
    for key in wanted + ("productKey",) + (() if settings["pins"] else ("ca",)):
        if key not in given:
            _fail(key + " is missing")
    return settings


def load_cloud(source):
    """The settings module of a cloud, which is loaded for its own boards only."""
    if source == "aliyun":
        from .aliyun import settings
    else:
        from .gizwits import settings
    return settings


def _rules_of(source, given):
    """(rules, defaults, required names) of a source's own settings."""
    if source in _SOURCES[1:]:
        return load_cloud(source).rules(given)
    by_product = given.get("policy") == "product-secret"
    wanted = ("url", "productSecret") if by_product else ("url",)
    return {"policy": _POLICIES}, {"policy": _POLICIES[0]}, wanted
