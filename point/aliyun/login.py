"""Alibaba Cloud IoT: a device's login over MQTT, and every signature it makes.

The format is the service's (iotkit-embedded v3.0.1 dev_sign_mqtt.c and dynreg.c,
aliyun-iot-linkkit 1.2.13); docs/alibaba.md shows which bytes are signed.
"""

from ..compat import binascii, const, hashlib
from ..digest import hmac
from ..errors import LACKING, OPTION, PointError

# The C SDK's, of 2050. The cloud checks its signature only, against no clock.
FIXED_TIME = "2524608000000"
REGION = "cn-shanghai"
METHODS = ("hmacmd5", "hmacsha1", "hmacsha256")

_CLIENT_ID_MAX = const(64)  # without the extension


def sign(method, secret, members):
    """The lower hex HMAC of `members`' names and values, joined in order of the names.

    `secret` is text, used as its bytes. Raises PointError(OPTION) for a method that is
    not in METHODS, PointError(LACKING) if this firmware has no such hash.
    """
    if method not in METHODS:
        raise PointError(OPTION, "signMethod is not one of " + ", ".join(METHODS))
    name = method[4:]
    found = getattr(hashlib, name, None)
    if not found:
        raise PointError(LACKING, "%s: no %s in this firmware" % (method, name))
    text = "".join([each + members[each] for each in sorted(members)])
    digest = hmac(lambda data: found(data).digest(), secret.encode(), text.encode())
    return binascii.hexlify(digest).decode()


def login(device, connect, timestamp=FIXED_TIME):
    """(client_id, user, password) of a device that holds a deviceSecret.

    `timestamp` is text, None leaves it out. Raises PointError(OPTION) for a clientId
    that cannot be one, and as sign().
    """
    name, key = device["deviceName"], device["productKey"]
    method = connect.get("signMethod", METHODS[2])
    members = {
        "clientId": connect.get("clientId") or key + "." + name,
        "deviceName": name,
        "productKey": key,
    }
    extension = "securemode=%d,signmethod=%s" % (
        2 if connect.get("ssl", 1) else 3,
        method,
    )
    if timestamp is not None:
        members["timestamp"] = timestamp
        extension += ",timestamp=" + timestamp
    client_id = _client_id(members["clientId"], extension)
    return client_id, name + "&" + key, sign(method, device["deviceSecret"], members)


def token_login(device, connect):
    """(client_id, user, password) of a device whose deviceSecret holds a deviceToken.

    Its clientId is the one that the cloud gave with the token (regnwl); nothing is
    signed. Raises PointError(OPTION) without one, or if the token would go in clear.
    """
    if not connect.get("ssl", 1):
        raise PointError(OPTION, "a deviceToken goes over TLS only")
    client_id = _client_id(connect.get("clientId"), "authType=connwl,securemode=-2")
    user = device["deviceName"] + "&" + device["productKey"]
    return client_id, user, device["deviceSecret"]


def host(product_key, region=None, instance_id=None):
    """The host that a device connects to: its instance's, else its region's."""
    if instance_id:
        return instance_id + ".mqtt.iothub.aliyuncs.com"
    return "%s.iot-as-mqtt.%s.aliyuncs.com" % (product_key, region or REGION)


def _client_id(bare, extension):
    if not bare or len(bare) > _CLIENT_ID_MAX or "|" in bare:
        raise PointError(
            OPTION, "clientId is missing, over 64 characters, or holds a |"
        )
    return "%s|%s|" % (bare, extension)
