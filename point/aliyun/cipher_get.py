"""The cloud derives a local key for a board: cipher.channel_key() over MQTT.

The format is the SDK's (iotkit-embedded v3.0.1 awss_registrar.c, awss_packet.h).
"""

from ..compat import binascii, const
from ..errors import OPTION, PointError
from .alink_json import OK

_TYPES = (3, 4, 6, 7)
_DIGITS = const(32)
_EVERY_MS = const(10000)
_TIMES = const(3)


def ask(alink, cipher_type, random, then):
    """Ask for the key under `random`, 32 hex digits; then(16 bytes, or None).

    Raises PointError(OPTION) that names the argument.
    """
    if type(cipher_type) is not int or cipher_type not in _TYPES:
        raise PointError(OPTION, "cipher_type is not one of 3, 4, 6, 7")
    if not _hex(random):
        raise PointError(OPTION, "random is not 32 hex digits")
    names = {name: alink.device[name] for name in ("productKey", "deviceName")}

    def taken(code, data):
        alink.call(then, _key(names, data) if code == OK else None)

    modes = ("smartconfig", "zconfig", "router", "ap", "softap")
    params = {"awssVer": {mode: "2.0" for mode in modes}}
    params["cipherType"] = cipher_type
    params["random"] = random.upper()
    params.update(names)
    alink.ask("thing.cipher.get", params, taken, _EVERY_MS, _TIMES)


def _key(names, data):
    """The key in a reply, None if it is malformed or another device's."""
    if type(data) is not dict or not _hex(data.get("secret")):
        return None
    for name in names:
        if data.get(name) != names[name]:
            return None
    return binascii.unhexlify(data["secret"])


def _hex(text):
    return (
        type(text) is str
        and len(text) == _DIGITS
        and not text.strip("0123456789abcdefABCDEF")
    )
