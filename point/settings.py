"""settings.json, which a firmware engineer fills in. An unknown key is an error."""

from . import credentials, strictjson
from .errors import SETTING, PointError


def _url(name, value):
    credentials.text(name, value, 512)
    if not value.startswith("https://"):
        raise PointError(SETTING, "url does not begin with https://")
    return value


def _mqtt(name, value):
    if type(value) is not dict:
        raise PointError(SETTING, "mqtt is not an object")
    _known("mqtt.", value, credentials.CONNECT)
    return credentials.connect(value)


def _seconds(name, value):
    return credentials.number(name, value, 1, 3600)


_RULES = {
    "url": _url,
    "productKey": credentials.word,
    "ca": credentials.word,  # a DER file beside this one
    "timeoutS": _seconds,
    "mqtt": _mqtt,
}


def _known(where, given, keys):
    for key in given:
        if key not in keys:
            raise PointError(SETTING, "unknown setting %s%s" % (where, key))


def parse(text):
    """Return what settings.json says, every default filled in, from its bytes.

    {"url", "productKey", "ca", "timeoutS", "mqtt"}. Raises
    PointError(SETTING) that names the key that is unknown, missing or wrong.
    """
    try:
        given = strictjson.loads(text)
    except ValueError as error:
        raise PointError(SETTING, "settings.json is not JSON: " + str(error))
    if type(given) is not dict:
        raise PointError(SETTING, "settings.json is not an object")
    _known("", given, _RULES)
    settings = {"timeoutS": 30, "mqtt": {}}
    for key in ("url", "productKey", "ca"):
        if key not in given:
            raise PointError(SETTING, "%s is missing" % key)
    for key in given:
        try:
            settings[key] = _RULES[key](key, given[key])
        except PointError as error:
            raise PointError(SETTING, error.detail)
    return settings
