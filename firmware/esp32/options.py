"""board.json: how this board is wired, and what carries it. Unknown keys are errors."""

from point import credentials, strictjson
from point.compat import sys
from point.errors import SETTING, PointError
from point.store import read_setup

_PIN = (0, 54)  # GPIO numbers of the largest chip


def _fail(why):
    raise PointError(SETTING, "board.json: " + why)


def _pins(name, value):
    """A list of GPIO numbers."""
    if type(value) is not list:
        _fail(name + " is not a list")
    for pin in value:
        credentials.number(name, pin, _PIN[0], _PIN[1])


# A pair of numbers is a range, words are choices.
_MODEM = {
    "uart": (1, 4),  # 0 is the console's
    "tx": _PIN,
    "rx": _PIN,
    "rts": _PIN,
    "cts": _PIN,
    "baud": (9600, 921600),
    "powerKey": _PIN,
    "powerKeyLevel": (0, 1),
    "powerKeyMs": (10, 5000),
    "high": _pins,
    "simPin": credentials.word,
    "apn": credentials.word,
    "auth": ("none", "pap", "chap"),
    "user": credentials.text,
    "password": credentials.text,
}


def _words(name, value):
    """A name or password of Wi-Fi, which may hold blanks."""
    if type(value) is not str or not 0 < len(value.encode()) <= 64:
        _fail(name + " is not 1 to 64 bytes of text")


_RULES = {
    "wifi": {"ssid": _words, "password": _words},
    "modem": _MODEM,
    "claimKey": ("file", "nvs"),
    "watchdogS": (60, 3600),  # one exchange may take 30 s by itself
}


def _check(name, value, rule):
    if type(rule) is dict:
        if type(value) is not dict:
            _fail(name + " is not an object")
        for key in value:
            if key not in rule:
                _fail("unknown setting " + (name + "." + key).lstrip("."))
            _check((name + "." + key).lstrip("."), value[key], rule[key])
    elif type(rule) is not tuple:
        rule(name, value)
    elif type(rule[0]) is int:
        credentials.number(name, value, rule[0], rule[1])
    elif value not in rule:
        _fail(name + " is not one of " + ", ".join(rule))


def read(directory):
    """What board.json in `directory` says, with every default, as nested dicts.

    Always there: claimKey, and modem with uart, tx, rx, baud, auth, high, powerKeyLevel
    and powerKeyMs. Raises PointError(SETTING) that names the key.
    """
    try:
        given = strictjson.loads(read_setup(directory, "board.json"))
        _check("", given, _RULES)
    except ValueError as error:
        _fail("not JSON: " + str(error))
    except PointError as error:
        if error.number == SETTING:
            raise error
        _fail(error.detail)
    modem = {"uart": 1, "baud": 115200, "powerKeyLevel": 1, "powerKeyMs": 1000}
    modem["auth"], modem["high"] = "none", ()
    modem.update(given.get("modem", {}))
    wanted = (
        ["tx", "rx"] if modem["auth"] == "none" else ["tx", "rx", "user", "password"]
    )
    for key in wanted:
        if key not in modem:
            _fail("modem." + key + " is missing")
    if "ssid" not in given.get("wifi", {"ssid": ""}):
        _fail("wifi.ssid is missing")
    options = {"claimKey": "file"}
    options.update(given)
    options["modem"] = modem
    sys.modules.pop(__name__, None)  # a board reads it once, and MQTT needs the room
    return options
