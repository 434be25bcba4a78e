"""Where credentials come from: the customer's server, or a cloud."""

from .errors import UNVERIFIED, PointError


def conversation(access, url, data, headers):
    """What point.run asks: fetch(), acknowledge(), close() and a request_id.

    By `access.registration`; a cloud's modules are loaded for its own boards only.
    """
    given = access.registration
    if not given:
        from .exchange import Exchange as Conversation
    elif given["source"] == "aliyun":
        from .registration import Registration as Conversation
    else:
        from .registergizwits import Registration as Conversation
    return Conversation(access, url, data, headers)


def check_verified(access):
    """Raise PointError(UNVERIFIED) unless a cloud has to prove who it is."""
    trust = access.trust or {}
    given = trust.get("ca") is not None or trust.get("pins")
    if not (given and access.board and access.board.VERIFIES):
        raise PointError(UNVERIFIED, "the cloud cannot be verified")
