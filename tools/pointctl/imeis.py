"""The check of an IMEI that a person or another program gave."""

from point import imei as imei_rules
from point.errors import PointError
from pointctl.errors import PointctlError


def check_imei(imei: str) -> None:
    """Raise PointctlError for a text that is not an IMEI."""
    try:
        imei_rules.check(imei)
    except PointError as error:
        raise PointctlError(f"{imei}: {error.detail}") from error
