"""The claim key in NVS, a partition that copying files does not touch.

A claim.key file that the factory leaves is moved there at the first boot.
"""

import esp32
from point.compat import os, sys
from point.errors import SETTING, PointError
from point.seal import key_of
from point.store import read_setup


def claim_key(directory):
    """The key, 32 bytes. Raises PointError(SETTING) if there is none."""
    sys.modules.pop(__name__, None)  # it would hold modules that MQTT does not need
    nvs = esp32.NVS("pointaccess")
    try:
        text = read_setup(directory, "claim.key")
    except PointError:
        return _held(nvs)
    key = key_of(text)
    try:
        nvs.set_blob("claimKey", key)
        nvs.commit()
    except OSError as error:
        raise PointError(SETTING, "NVS takes no claim key: %s" % error.args[0])
    if _held(esp32.NVS("pointaccess")) != key:
        raise PointError(SETTING, "NVS does not keep the claim key")
    os.remove(directory + "/claim.key")  # last: at no time is it nowhere
    return key


def _held(nvs):
    key = bytearray(32)
    try:
        if nvs.get_blob("claimKey", key) == 32:
            return bytes(key)
    except OSError:
        pass  # none there, or a longer one
    raise PointError(SETTING, "neither claim.key nor NVS holds a claim key")
