"""settings.json, which a firmware engineer fills in. An unknown key is an error."""

from . import credentials, strictjson
from .errors import SETTING, PointError
from .seal import unhexed

_WILL = ("topic", "message")
_SOURCES = ("access", "aliyun", "gizwits")
_POLICIES = ("device-key", "product-secret", "open")
# What one source knows and another does not: point.cloudsettings has the clouds'.
_OF_ONE = ("policy", "deviceName", "register", "region", "instanceId", "signMethod")


def _fail(why):
    raise PointError(SETTING, why)


def choice(values):
    """A rule: the value is one of `values`, or PointError(SETTING) names them."""

    def rule(name, value):
        if value not in values:
            _fail(name + " is none of " + ", ".join(values))
        return value

    return rule


def _url(name, value):
    credentials.text(name, value, 512)
    if not value.startswith("https://"):
        _fail("url does not begin with https://")
    return value


def _mqtt(name, value):
    if type(value) is not dict:
        _fail("mqtt is no object")
    value = dict(value)
    will = value.pop("will", None)
    _known("mqtt.", value, credentials.CONNECT)
    checked = credentials.connect(value)
    if will is not None:
        if type(will) is not dict or len(will) != 2:
            _fail("mqtt.will is not a topic and a message")
        checked["will"] = {k: credentials.text(k, will.get(k)) for k in _WILL}
    return checked


def _pins(name, value):
    if type(value) is not list:
        _fail("pins is no list")
    for pin in value:
        credentials.text(name, pin, 64)
        if len(pin) != 64 or pin.strip("0123456789abcdefABCDEF"):
            _fail("a pin is not a SHA-256 in hex")
    return [unhexed(pin) for pin in value]


_RULES = {
    "url": _url,
    "productKey": credentials.word,
    "ca": credentials.word,  # a DER file beside this one
    "pins": _pins,
    "productSecret": credentials.text,
    "timeoutS": lambda name, value: credentials.number(name, value, 1, 600),
    "spreadS": lambda name, value: credentials.number(name, value, 0, 3600),
    "mqtt": _mqtt,
    "source": choice(_SOURCES),
}


def _known(where, given, keys):
    for key in given:
        if key not in keys:
            if key in _OF_ONE and not where:
                _fail(key + " does not go with this source")
            _fail("unknown setting " + where + key)


def parse(text):
    """Return what settings.json says, every default filled in, from its bytes.

    Always there: source, productKey, timeoutS, spreadS, mqtt, pins (a list of 32 bytes
    each), and policy or what point.cloudsettings has for the source. If given: url,
    which one source needs, ca, productSecret. Raises PointError(SETTING) that names the
    key that is unknown, missing or wrong.
    """
    try:
        given = strictjson.loads(text)
    except ValueError as error:
        _fail("settings.json is not JSON: %s" % error)
    if type(given) is not dict:
        _fail("settings.json is no object")
    source = _RULES["source"]("source", given.get("source", _SOURCES[0]))
    rules, settings, wanted = _of(source, given)
    rules.update(_RULES)
    _known("", given, rules)
    settings.update({"source": source, "timeoutS": 30, "spreadS": 60})
    settings.update({"mqtt": {}, "pins": []})
    for key in given:
        try:
            settings[key] = rules[key](key, given[key])
        except PointError as error:
            _fail(error.detail)
    for key in wanted + ("productKey",) + (() if settings["pins"] else ("ca",)):
        if key not in given:
            _fail(key + " is missing")
    return settings


def _of(source, given):
    """(rules, defaults, what has to be there) of a source's own settings."""
    if source in _SOURCES[1:]:
        from . import cloudsettings

        return cloudsettings.of(source, given)
    wanted = ("url",)
    if given.get("policy") == "product-secret":
        wanted += ("productSecret",)
    return {"policy": choice(_POLICIES)}, {"policy": _POLICIES[0]}, wanted
