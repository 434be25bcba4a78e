"""What settings.json says of Alibaba's cloud, if the credentials come from there."""

from ..credentials import word
from ..errors import SETTING, PointError

_NAMES = ("deviceName", "productSecret", "region", "instanceId", "signMethod")
_REGISTER = ("https", "mqtt", "mqtt-token")  # the first is the default
_SIGN_METHODS = ("hmacsha256", "hmacsha1", "hmacmd5")


def rules(given):
    """(rules, defaults, required names), as point.settings.parse() uses them."""
    found = {name: word for name in ("deviceName", "region", "instanceId")}
    found["register"] = _REGISTER
    found["signMethod"] = _SIGN_METHODS
    defaults = {"register": _REGISTER[0], "signMethod": _SIGN_METHODS[0]}
    return found, defaults, ("productSecret",)


def identity(wanted, imei):
    """What access.identity holds, made of the settings and the board's IMEI.

    Always there: source, by, deviceName, productSecret, region, instanceId, signMethod.
    Raises PointError(SETTING) for a setting that would have no effect.
    """
    by = wanted["register"]
    if by == "mqtt-token" and "clientId" in wanted["mqtt"]:
        raise PointError(SETTING, "mqtt.clientId comes with the cloud's token")
    if by != "https" and "url" in wanted:
        raise PointError(SETTING, "url is for registering over https")
    found = {name: wanted.get(name) for name in _NAMES}
    found["source"] = wanted["source"]
    found["by"] = by
    found["deviceName"] = found["deviceName"] or imei
    return found
