"""One conversation with the provisioning server: the request, then the acknowledgement.

Both go over one connection. With a claim key it is version 2, signed and sealed, and
nothing that is not sealed is taken for credentials; without one it is the seed's.
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
    """One conversation by itself: the seed's request(). Returns the code."""
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
        self._server = None

    def fetch(self):
        """(code, device_config or None); sets the access's error and retry_after_s."""
        access = self._access
        access.error = None
        access.retry_after_s = 0
        try:
            data = self._data
            self._server = _server(access, self._url)
            if access.claim_key:
                self.request_id = access.claim.request_id()
                data = protocol.claim(
                    data,
                    self.request_id,
                    access.claim_key,
                    access.now(),
                    access.device_config["device"]["deviceSecret"],
                )
            status, body = self._server.post(data, self._headers)
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
        """Tell the server that flash holds what it gave. Raises PointError."""
        key = self._access.claim_key
        if key:
            told = protocol.acknowledge(self._data, self.request_id, key)
            protocol.decode_code(*self._server.post(told, self._headers))

    def close(self):
        if self._server:
            self._server.close()


def _server(access, url):
    if access.post:
        from . import foreign

        return foreign.Server(access.post, url)
    from . import https, source, stream

    board = access.board
    verified = source.verified(access.trust)
    if not access.claim_key:
        if board and not (verified and board.VERIFIES):
            raise PointError(UNVERIFIED, "no claim key, and the server not verified")
        if not verified:
            _warn()
    connect = board.connect if board else stream.connect
    return https.Server(connect, url, access.trust, access.timeout_s)


def _warn():
    global _warned
    if not _warned:
        _warned = True
        print("PointAccess: no CA is set, so the server is NOT verified")
