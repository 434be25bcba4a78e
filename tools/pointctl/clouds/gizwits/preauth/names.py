"""How the names of the API are written: regular expressions, and MACs normalized."""

from point.gizwits import login

HEX_32 = "^[0-9a-f]{32}$"
NAME = "^[0-9A-Za-z]{1,32}$"  # pins and auth_codes; the samples are 32 hex digits
# A MAC need not be hexadecimal: the document's own example is test00101011.
MAC_OR_IMEI = "^[0-9A-Za-z]{2}([:-]?[0-9A-Za-z]{2}){5}$|^[0-9]{15}$"


def normalize_mac(mac: str) -> str:
    """A MAC or IMEI as the cloud has it: two spellings are one device."""
    return login.bare(mac)
