"""One conversation with the provisioning server: the request, then the acknowledgement.

Both go over one connection. With a claim key it is version 2: the request is signed,
and only a sealed reply counts. Without one it is version 1, the seed's.
"""

from . import protocol
from .errors import (
    FETCH_FAILED,
    NO_CODE,
    NO_CODE_IN_REPLY,
    REFUSED,
    UNVERIFIED,
    PointError,
)

_warned = False


def request(access, url, data, headers):
    """Ask once, without acknowledgement: the seed's request(). Returns the code."""
    exchange = Exchange(access, url, data, headers)
    try:
        code, config = exchange.fetch()
    finally:
        exchange.close()
    if config:
        access.adopt(config, "server")
    return code


class Exchange:
    """`access` is the PointAccess it works for; `post(data, headers)` gives
    (status, body), `close()` ends the connection."""

    def __init__(self, access, url, data, headers):
        self._access = access
        self._data = data
        self._headers = headers
        self.request_id = None
        self._url = url
        self._client = None

    def fetch(self):
        """(code, device_config or None); sets the access's error and retry_after_s."""
        access = self._access
        access.error = None
        access.retry_after_s = 0
        try:
            data = self._data
            self._client = _open_client(access, self._url)
            if access.claim_key:
                self.request_id = access.claim.request_id()
                data = protocol.claim(
                    data,
                    self.request_id,
                    access.claim_key,
                    access.now(),
                    access.device_config["device"]["deviceSecret"],
                )
            status, body = self._client.post(data, self._headers)
            code, config, access.retry_after_s = protocol.decode_reply(
                status, body, access.claim_key, self.request_id
            )
        except PointError as error:
            access.error = error
            no_code = error.number == NO_CODE
            return NO_CODE_IN_REPLY if no_code else FETCH_FAILED, None
        if config is None:
            access.error = PointError(REFUSED, "the server answered " + code)
        return code, config

    def acknowledge(self):
        """Tell the server that flash holds its credentials. Raises PointError."""
        key = self._access.claim_key
        if key:
            message = protocol.acknowledge(self._data, self.request_id, key)
            protocol.decode_code(*self._client.post(message, self._headers))

    def close(self):
        if self._client:
            self._client.close()


def _open_client(access, url):
    if access.post:
        from . import requests_post

        return requests_post.RequestsClient(access.post, url)
    from . import conversation, https, stream

    board = access.board
    verified = conversation.must_verify(access.trust)
    if not access.claim_key:
        if board and not (verified and board.VERIFIES):
            raise PointError(UNVERIFIED, "no claim key, and the server not verified")
        if not verified:
            _warn()
    connect = board.connect if board else stream.connect
    return https.HttpClient(connect, url, access.trust, access.timeout_s)


def _warn():
    global _warned
    if not _warned:
        _warned = True
        print("PointAccess: no CA is set, so the server is NOT verified")
