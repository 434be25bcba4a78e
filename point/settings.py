"""settings.json, which a firmware engineer fills in. An unknown key is an error."""

from . import credentials, strictjson
from .errors import SETTING, PointError
from .seal import unhexed

_WILL = ("topic", "message")
# The first of each is what counts without the setting.
_CHOICES = {
    "source": ("access", "aliyun"),
    "policy": ("device-key", "product-secret", "open"),
    "register": ("https", "mqtt", "mqtt-token"),
    "signMethod": ("hmacsha256", "hmacsha1", "hmacmd5"),
}
# What only the source "aliyun" knows.
_OF_ALIYUN = ("deviceName", "register", "region", "instanceId", "signMethod")


def _fail(why):
    raise PointError(SETTING, why)


def _choice(name, value):
    if value not in _CHOICES[name]:
        _fail(name + " is none of " + ", ".join(_CHOICES[name]))
    return value


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
        checked["will"] = {k: credentials.text(k, will.get(k)) for k in _WILL}
    return checked


def _pins(name, value):
    if type(value) is not list:
        _fail("pins is not a list")
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
}
for _name in _OF_ALIYUN:
    _RULES[_name] = credentials.word
for _name in _CHOICES:
    _RULES[_name] = _choice


def _known(where, given, keys):
    for key in given:
        if key not in keys:
            _fail("unknown setting " + where + key)


def parse(text):
    """Return what settings.json says, every default filled in, from its bytes.

    Always there: source, productKey, policy, register, signMethod, timeoutS, spreadS,
    mqtt, pins (a list of 32 bytes each). If given: url, which one source needs, ca,
    productSecret, deviceName, region, instanceId. Raises PointError(SETTING) that names
    the key that is unknown, missing or wrong.
    """
    try:
        given = strictjson.loads(text)
    except ValueError as error:
        _fail("settings.json is not JSON: " + str(error))
    if type(given) is not dict:
        _fail("settings.json is not an object")
    _known("", given, _RULES)
    settings = {name: _CHOICES[name][0] for name in _CHOICES}
    settings["timeoutS"], settings["spreadS"] = 30, 60
    settings["mqtt"], settings["pins"] = {}, []
    for key in given:
        try:
            settings[key] = _RULES[key](key, given[key])
        except PointError as error:
            _fail(error.detail)
    aliyun = settings["source"] == "aliyun"
    for key in ("policy",) if aliyun else _OF_ALIYUN:
        if key in given:
            _fail(key + " does not go with this source")
    wanted = ["productSecret" if aliyun else "url", "productKey"]
    if not settings["pins"]:
        wanted.append("ca")
    if settings["policy"] == "product-secret":
        wanted.append("productSecret")
    for key in wanted:
        if key not in given:
            _fail(key + " is missing")
    return settings
