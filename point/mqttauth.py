"""The login of a board at its broker: client id, user and password."""

from .compat import const
from .errors import SETTING, PointError

_KEEP_ALIVE_S = const(120)  # Quectel's advice for carrier NAT


def plain(device, connect, random):
    """(client_id, user, password) for a broker that knows the secret itself.

    The user is Alibaba's, deviceName&productKey, so that names are unique across
    products and a broker reads one shape for every scheme.
    """
    name = device["deviceName"]
    key = device["productKey"]
    client_id = connect.get("clientId") or key + "." + name
    return client_id, name + "&" + key, device["deviceSecret"]


# A cloud's module is loaded by the boards that use it, and by no other.
def aliyun(device, connect, random):
    """Alibaba: signed under the deviceSecret. Raises as point.aliyun.login()."""
    from .aliyun import login as cloud

    return cloud.login(device, connect)


def aliyun_token(device, connect, random):
    """Alibaba, registered without being known before: by a deviceToken."""
    from .aliyun import login as cloud

    return cloud.token_login(device, connect)


def gizwits(device, connect, random):
    """Gizwits: signed under the auth_key, with a nonce of `random`."""
    from .gizwits import login as cloud

    return cloud.login(device, connect, random)


def gizwits_classic(device, connect, random):
    """Gizwits' older cloud: did and passcode."""
    from .gizwits import login as cloud

    return cloud.classic_login(device, connect)


# By connect's `auth`: (device, connect, random) -> (client_id, user, password), where
# random(n) gives n random bytes.
SCHEMES = {
    "plain": plain,
    "aliyun": aliyun,
    "aliyun-token": aliyun_token,
    "gizwits": gizwits,
    "gizwits-classic": gizwits_classic,
}


def topic(config):
    """The beginning of the board's own topics, by its cloud."""
    device = config["device"]
    aliyun = config["connect"].get("auth", "").startswith("aliyun")
    form = "/%s/%s/user/" if aliyun else "%s/%s/"
    return form % (device["productKey"], device["deviceName"])


def settings(config, random):
    """The settings for a board's mqtt(), made of a device_config, without trust.

    Raises PointError(SETTING) for a scheme that is not in SCHEMES, PointError(OPTION)
    for settings that its cloud cannot have, PointError(LACKING) as point.aliyun.login
    does.
    """
    device = config["device"]
    connect = config["connect"]
    scheme = connect.get("auth", "plain")
    if scheme not in SCHEMES:
        raise PointError(SETTING, "auth is not one of " + ", ".join(SCHEMES))
    found = dict(connect)
    found["clientId"], found["user"], found["password"] = SCHEMES[scheme](
        device, connect, random
    )
    will = connect.get("will")
    if will:
        found["will"] = {
            "topic": topic(config) + will["topic"],
            "message": will["message"],
        }
    found["ssl"] = connect.get("ssl", 1)
    found["port"] = connect.get("port") or (8883 if found["ssl"] else 1883)
    found["keepAlive"] = connect.get("keepAlive", _KEEP_ALIVE_S)
    return found
