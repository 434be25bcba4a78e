"""board.json, which a board may do without: APN, watchdog, where the claim key is."""

from point import credentials, strictjson
from point.compat import os
from point.errors import SETTING, PointError
from point.store import read_setup

_NAME = "board.json"
# Words are choices, a pair of numbers is a range, a number the length of a text.
_RULES = {
    "apn": 63,
    "user": 15,  # what dataCall takes
    "password": 15,
    "auth": ("none", "pap", "chap"),
    "pdp": (1, 7),
    "claimKey": ("file", "securedata"),
    "slot": (1, 8),  # of SecureData, those of 52 bytes
    "watchdogS": (60, 3600),  # one exchange may take 30 s by itself
}


def _fail(why):
    raise PointError(SETTING, _NAME + ": " + why)


def _check(name, value):
    rule = _RULES[name]
    if type(rule) is int:
        credentials.text(name, value, rule)
    elif type(rule[0]) is int:
        credentials.number(name, value, rule[0], rule[1])
    elif value not in rule:
        _fail(name + " is not one of " + ", ".join(rule))


def read(directory):
    """What board.json in `directory` says, with every default, as a dict.

    Always there: auth, pdp, claimKey, slot. Raises PointError(SETTING) that names the
    key that is unknown or wrong.
    """
    options = {"auth": "none", "pdp": 1, "claimKey": "file", "slot": 1}
    try:
        os.stat(directory + "/" + _NAME)
    except OSError:
        return options  # most SIMs need nothing said
    try:
        given = strictjson.loads(read_setup(directory, _NAME))
    except ValueError as error:
        _fail("not JSON: " + str(error))
    if type(given) is not dict:
        _fail("not an object")
    for name in given:
        if name not in _RULES:
            _fail("unknown setting " + name)
        try:
            _check(name, given[name])
        except PointError as error:
            if error.number == SETTING:
                raise error
            _fail(error.detail)
    options.update(given)
    if options["auth"] != "none" and not ("user" in given and "password" in given):
        _fail("auth needs user and password")
    if "user" in given and "apn" not in given:
        _fail("user needs an apn")
    return options
