"""Data calls, by PDP context."""

from typing import Any

def getInfo(profile: int, ip_type: int, /) -> Any:
    """(profile, type, [state, reconnect, address, DNS, DNS]); older firmware says -1
    when there is no call, newer zeros."""

def getPDPContext(profile: int, /) -> Any:
    """(IP type, APN, user, password, authentication), or -1."""

def setPDPContext(
    profile: int, ip_type: int, apn: str, user: str, password: str, auth: int, /
) -> int:
    """0 or -1. Kept over restarts; ValueError for what is too long."""

def setApn(
    profile: int, ip_type: int, apn: str, user: str, password: str, auth: int, /
) -> int:
    """The same before there was setPDPContext(); holds from the next start."""

def activate(profile: int, /) -> int:
    """Dial with what the context holds: 0 or -1."""

def start(
    profile: int, ip_type: int, apn: str, user: str, password: str, auth: int, /
) -> int:
    """The same before there was activate()."""
