"""What settings.json says of Gizwits' cloud, if the credentials come from there."""

from ..credentials import word

_REGISTER = ("auth-key", "computed-key", "classic")  # the first is the default


def rules(given):
    """(rules, defaults, required names), as point.settings.parse() uses them."""
    found = {"deviceName": word, "register": _REGISTER}
    by = given.get("register", _REGISTER[0])
    # A burned auth_key is a secret of the device's own.
    wanted = () if by == _REGISTER[0] else ("productSecret",)
    return found, {"register": _REGISTER[0]}, wanted


def identity(wanted, imei):
    """What access.identity holds, made of the settings and the board's IMEI.

    Always there: source, by, deviceName, productSecret.
    """
    return {
        "source": wanted["source"],
        "by": wanted["register"],
        "deviceName": wanted.get("deviceName") or imei,
        "productSecret": wanted.get("productSecret"),
    }
