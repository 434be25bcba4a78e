"""The IMEI: 15 digits, the last a Luhn check digit (3GPP TS 23.003 §6.2.1, Annex B)."""

from .errors import IMEI, PointError


def check(imei):
    """Return `imei` if its 15 digits check. Raises PointError(IMEI)."""
    if type(imei) is not str or len(imei) != 15:
        raise PointError(IMEI, "an IMEI has 15 digits")
    total = 0
    for place in range(15):
        digit = ord(imei[place]) - 48
        if not 0 <= digit <= 9:
            raise PointError(IMEI, "an IMEI has digits only")
        if place % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
    if total % 10 or not imei.strip("0"):  # a modem that was never given one
        raise PointError(IMEI, "the IMEI's check digit is wrong")
    return imei


def masked(imei):
    """The IMEI for logs: its model part, then the last three digits."""
    return imei[:8] + "****" + imei[12:]
