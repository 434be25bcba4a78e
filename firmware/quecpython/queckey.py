"""The claim key in SecureData, which outlives the burning of firmware and files.

A claim.key file that the factory leaves is moved there at the first boot. Firmware
without SecureData keeps the file.
"""

from point.compat import const, os
from point.errors import SETTING, PointError
from point.seal import key_of
from point.store import read_setup

_SLOT = const(52)  # bytes in each of the slots 1 to 8
_MARK = b"PtAc"  # a slot that was never written holds anything


def claim_key(directory, slot):
    """The key, 32 bytes. Raises PointError(SETTING) if there is none."""
    secure = _module()
    try:
        key = key_of(read_setup(directory, "claim.key"))
    except PointError as error:
        found = secure and held(secure, slot)
        if found:
            return found
        raise error
    if secure:
        try:
            stored = secure.Store(slot, _MARK + key, len(_MARK) + len(key))
        except (ValueError, OSError):
            stored = -1
        if stored == -1 or held(secure, slot) != key:
            raise PointError(SETTING, "SecureData does not keep the claim key")
        os.remove(directory + "/claim.key")  # last: at no time is it nowhere
    return key


def held(secure, slot):
    """The key that SecureData holds, or None."""
    data = bytearray(_SLOT)  # all of it: a shorter one is written past its end
    try:
        length = secure.Read(slot, data, _SLOT)
    except (ValueError, OSError):
        return None
    data = bytes(data[: len(_MARK) + 32])
    return data[len(_MARK) :] if length > 0 and data[: len(_MARK)] == _MARK else None


def _module():
    try:
        import SecureData as found
    except ImportError:
        try:
            import securedata as found
        except ImportError:
            return None
    return found
