"""The conversation that gives credentials, with the customer's server or a cloud."""

from .errors import UNVERIFIED, PointError


def begin(access, url, data, headers):
    """An object with fetch(), acknowledge(), close() and a request_id.

    `access.identity` says with whom. A cloud's modules are loaded for its boards only.
    """
    given = access.identity
    if not given:
        from .provision_exchange import Exchange as Conversation
    elif given["source"] == "aliyun":
        from .aliyun.register import Registration as Conversation
    else:
        from .gizwits.register import Registration as Conversation
    return Conversation(access, url, data, headers)


def must_verify(trust):
    """Whether a CA or pins verify the server before anything is sent."""
    return trust and (trust.get("ca") is not None or trust.get("pins"))


def check_verified(access):
    """Raise PointError(UNVERIFIED) unless the cloud is going to be verified."""
    board = access.board
    if not (must_verify(access.trust) and board and board.VERIFIES):
        raise PointError(UNVERIFIED, "the cloud cannot be verified")
