"""The start of main.py: a PointAccess from settings.json, always verified."""

from .access import PointAccess
from .compat import loaded, provisioning, unload
from .errors import SETTING, PointError


def prepare(board):
    """(PointAccess, url, request) as the board's settings.json and its modem say.

    `url` may be None if the credentials come from a cloud. Raises PointError(SETTING or
    IMEI).
    """
    with provisioning:
        from .store import read_setup
    before = loaded()
    from . import settings

    wanted = settings.parse(read_setup(board.DIR, "settings.json"))
    trust = {"pins": wanted["pins"]}
    if "ca" in wanted:
        trust["ca"] = read_setup(board.DIR, wanted["ca"])
    request = {"imei": board.imei(), "productKey": wanted["productKey"]}
    access = PointAccess(board, None, trust, None, wanted["timeoutS"])
    if wanted["source"] == "access":
        access.claim_key = _claim_key(board, wanted)
    else:
        cloud = settings.load_cloud(wanted["source"])
        access.identity = cloud.identity(wanted, request["imei"])
    access.flash_key = board.flash_key()
    access.spread_s = wanted["spreadS"]
    access.overrides = wanted["mqtt"]
    unload((loaded() - before) | {__name__})  # a board reads its settings once
    return access, wanted.get("url"), request


def _claim_key(board, wanted):
    """The key that signs the request and opens the reply, None without one."""
    if wanted["policy"] == "product-secret":
        return wanted["productSecret"].encode()
    if wanted["policy"] == "device-key":
        key = board.claim_key()
        if len(key) != 32:  # an empty one would be version 1, unsigned and in clear
            raise PointError(SETTING, "the claim key is not 32 bytes")
        return key
