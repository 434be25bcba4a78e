"""Who a board says it is to its broker: client id, user and password."""

from .compat import const
from .errors import SETTING, PointError

_KEEP_ALIVE_S = const(120)  # Quectel's advice for carrier NAT


def plain(device, connect):
    """(client_id, user, password) for a broker that knows the secret itself.

    The user is Alibaba's, deviceName&productKey, so that names are unique across
    products and a broker reads one shape for every scheme.
    """
    name = device["deviceName"]
    key = device["productKey"]
    client_id = connect.get("clientId") or key + "." + name
    return client_id, name + "&" + key, device["deviceSecret"]


SCHEMES = {"plain": plain}


def settings(config):
    """What a board's mqtt() is given, made of a device_config, but for trust.

    Raises PointError(SETTING) for a scheme that is not in SCHEMES.
    """
    device = config["device"]
    connect = config["connect"]
    scheme = connect.get("auth", "plain")
    if scheme not in SCHEMES:
        raise PointError(SETTING, "auth is none of " + ", ".join(SCHEMES))
    found = dict(connect)
    found["clientId"], found["user"], found["password"] = SCHEMES[scheme](
        device, connect
    )
    will = connect.get("will")
    if will:
        names = device["productKey"], device["deviceName"], will["topic"]
        found["will"] = {"topic": "%s/%s/%s" % names, "message": will["message"]}
    found["ssl"] = connect.get("ssl", 1)
    found["port"] = connect.get("port") or (8883 if found["ssl"] else 1883)
    found["keepAlive"] = connect.get("keepAlive", _KEEP_ALIVE_S)
    return found
