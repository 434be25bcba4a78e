"""What main.py begins with: a PointAccess from settings.json, always strict."""

from . import settings
from .access import PointAccess
from .errors import SETTING, PointError
from .room import unload
from .store import read_setup


def prepare(board):
    """(PointAccess, url, request) as the board's settings.json and its modem say.

    Raises PointError(SETTING or IMEI).
    """
    wanted = settings.parse(read_setup(board.DIR, "settings.json"))
    trust = {"pins": wanted["pins"]}
    if "ca" in wanted:
        trust["ca"] = read_setup(board.DIR, wanted["ca"])
    key = None
    if wanted["policy"] == "device-key":
        key = board.claim_key()
        if len(key) != 32:  # an empty one would be version 1, unsigned and in clear
            raise PointError(SETTING, "the claim key is not 32 bytes")
    elif wanted["policy"] == "product-secret":
        key = wanted["productSecret"].encode()
    access = PointAccess(board, None, trust, key, wanted["timeoutS"])
    access.flash_key = board.flash_key()
    access.spread_s = wanted["spreadS"]
    access.overrides = wanted["mqtt"]
    request = {"imei": board.imei(), "productKey": wanted["productKey"]}
    unload(("settings", "setup"))  # a board reads its settings once
    return access, wanted["url"], request
