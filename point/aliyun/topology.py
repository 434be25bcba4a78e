"""Sub-devices as Alibaba's topology messages name them, and the signature of each.

The format is the SDKs' (iotkit-embedded v3.0.1 dm_message.c, aliyun-iot-linkkit
1.2.13).
"""

from ..credentials import text, word
from ..errors import FIELD, PointError
from . import login


def check_pair(key, name):
    """Return (productKey, deviceName) if they are valid. Raises PointError(FIELD)."""
    return word("productKey", key), word("deviceName", name)


def read_pair(member):
    """The pair in a member of a message, or of an application's list."""
    if type(member) is not dict:
        raise PointError(FIELD, "a sub-device is not an object")
    return check_pair(member.get("productKey"), member.get("deviceName"))


def read_secret(member):
    """The deviceSecret beside it. Raises PointError(FIELD)."""
    return text("deviceSecret", member.get("deviceSecret"))


def read_pairs(data):
    """All pairs of a reply, None if any of it is malformed."""
    try:
        return [read_pair(member) for member in data] if type(data) is list else None
    except PointError:
        return None


def make_member(key, name, secret=None):
    """A sub-device in a request: signed under its deviceSecret if it is to be added."""
    found = {"productKey": key, "deviceName": name}
    if secret:
        found["clientId"] = key + "." + name
        found["timestamp"] = login.FIXED_TIME
        found["sign"] = login.sign("hmacsha256", secret, found)
        found["signmethod"] = "hmacSha256"
    return found
