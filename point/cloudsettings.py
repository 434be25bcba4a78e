"""What settings.json says of a cloud that the credentials come from."""

from .credentials import word
from .errors import SETTING, PointError
from .settings import choice

_NAMES = ("deviceName", "productSecret", "region", "instanceId", "signMethod")
# By source: the ways to register, of which the first is what counts without a word.
_REGISTER = {
    "aliyun": ("https", "mqtt", "mqtt-token"),
    "gizwits": ("auth-key", "computed-key", "classic"),
}
_SIGN_METHODS = ("hmacsha256", "hmacsha1", "hmacmd5")


def of(source, given):
    """(rules, defaults, what has to be there), as point.settings.parse() uses them."""
    ways = _REGISTER[source]
    rules = {"deviceName": word, "register": choice(ways)}
    settings = {"register": ways[0]}
    wanted = ("productSecret",)
    if source == "aliyun":
        rules["region"] = rules["instanceId"] = word
        rules["signMethod"] = choice(_SIGN_METHODS)
        settings["signMethod"] = _SIGN_METHODS[0]
    elif given.get("register") not in ways[1:]:
        wanted = ()  # it has a secret of its own
    return rules, settings, wanted


def registration(wanted, imei):
    """What access.registration holds, made of the settings and the board's IMEI.

    Always there: source, by, deviceName, productSecret, region, instanceId, signMethod.
    Raises PointError(SETTING) for what does nothing.
    """
    by = wanted["register"]
    if by == "mqtt-token" and "clientId" in wanted["mqtt"]:
        raise PointError(SETTING, "mqtt.clientId comes with the cloud's token")
    if by in ("mqtt", "mqtt-token") and "url" in wanted:
        raise PointError(SETTING, "url is for registering over https")
    found = {name: wanted.get(name) for name in _NAMES}
    found["source"] = wanted["source"]
    found["by"] = by
    found["deviceName"] = found["deviceName"] or imei
    return found
