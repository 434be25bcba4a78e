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
        from .aliyun.register import Registration as Conversation
    else:
        from .gizwits.register import Registration as Conversation
    return Conversation(access, url, data, headers)


def verified(trust):
    """Whether a server has to prove who it is, by a CA or pins, before it is told."""
    return trust and (trust.get("ca") is not None or trust.get("pins"))


def check_verified(access):
    """Raise PointError(UNVERIFIED) unless a cloud has to prove who it is."""
    board = access.board
    if not (verified(access.trust) and board and board.VERIFIES):
        raise PointError(UNVERIFIED, "the cloud cannot be verified")
