"""Credentials from Alibaba's cloud: dynamic registration, with one secret a product.

Until a device has first connected the cloud gives it another secret each time, and the
last one counts; from then on it refuses.
"""

from .. import conversation, credentials
from ..errors import FIELD, REFUSED, SUCCESS, PointError
from ..seal import hexed
from . import login


class Registration:
    """As point.provision_exchange.Exchange, but with the cloud.

    `access.identity`: productSecret, deviceName, by ("https", "mqtt", "mqtt-token")
    and perhaps region, instanceId, signMethod. `url` is where "https" asks, None at the
    cloud's own; `data` has the productKey.
    """

    request_id = None  # the cloud knows none

    def __init__(self, access, url, data, headers=None):
        self._access = access
        self._url = url
        self._product_key = data["productKey"]
        self._transport = None

    def fetch(self):
        """(code, device_config or None); if it is refused, the access's error says so.

        Raises PointError if nothing was decided: UNVERIFIED, before anything is sent,
        FIELD for an answer that is not this device's, or what the transport raises.
        """
        access = self._access
        given = access.identity
        conversation.check_verified(access)
        names = {
            "productKey": self._product_key,
            "deviceName": given["deviceName"],
            "random": hexed(access.random(16)),
        }
        request = dict(names)
        request["signMethod"] = given.get("signMethod") or login.METHODS[2]
        request["sign"] = login.sign(
            request["signMethod"], given["productSecret"], names
        )
        self._transport = self._open()
        code, found = self._transport.ask(request)
        if code != SUCCESS:
            access.error = PointError(REFUSED, found)
            return code, None
        return code, self._config(names, found)

    def acknowledge(self):
        """Do nothing: the cloud will see the device connect."""

    def close(self):
        if self._transport:
            self._transport.close()

    def _open(self):
        if self._access.identity["by"] == "https":
            from . import register_https as kind
        else:
            from . import register_mqtt as kind
        return kind.Transport(self._access, self._url)

    def _config(self, names, found):
        """The device_config in the cloud's answer, checked, and tried by a login."""
        if type(found) is not dict:
            raise PointError(FIELD, "the answer is not an object")
        for name in ("productKey", "deviceName"):
            if found.get(name) != names[name]:
                raise PointError(FIELD, name + " is not this device's")
        given = self._access.identity
        device = dict(names)
        connect = {n: given.get(n) for n in ("region", "instanceId", "signMethod")}
        connect["qos"] = 1
        connect["host"] = login.host(
            names["productKey"], connect["region"], connect["instanceId"]
        )
        if given["by"] == "mqtt-token":
            connect["auth"] = "aliyun-token"
            connect["clientId"] = credentials.text("clientId", found.get("clientId"))
            device["deviceSecret"] = found.get("deviceToken")
            log_in = login.token_login
        else:
            connect["auth"] = "aliyun"
            device["deviceSecret"] = found.get("deviceSecret")
            log_in = login.login
        config = credentials.checked({"device": device, "connect": connect})
        log_in(config["device"], config["connect"])  # as it will: raises what is wrong
        return config
