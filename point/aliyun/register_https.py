"""Dynamic registration over HTTPS: a form, answered as JSON.

The format is the service's (iotkit-embedded v3.0.1 dynreg.c).
"""

from .. import credentials, https, protocol
from ..compat import const
from ..errors import HTTP_STATUS, SUCCESS, PointError
from . import login

_OK = const(200)
_MOST = const(99999999)
_DEVICE = const(600)  # lower codes are failures of the service itself, as in HTTP


class Transport:
    """`url` is where to ask, None at the cloud's own for the region."""

    def __init__(self, access, url):
        region = access.identity.get("region") or login.REGION
        url = url or "https://iot-auth.%s.aliyuncs.com/auth/register/device" % region
        self._server = https.HttpClient(
            access.board.connect, url, access.trust, access.timeout_s
        )
        self.close = self._server.close

    def ask(self, request):
        """("00000", the answer's data), or the cloud's code and what it may mean.

        Raises PointError(HTTP_STATUS, MALFORMED, TOO_LARGE, FIELD or the network's).
        """
        # No name and no value holds a character that a form would have to escape.
        form = "&".join(["%s=%s" % (name, request[name]) for name in request])
        status, body = self._server.send(form.encode(), https.FORM)
        try:
            reply = protocol.loads(body)
            code = credentials.number("code", reply.get("code"), 0, _MOST)
        except PointError as error:
            if status == _OK:
                raise error
            code = _OK
        if code != _OK:
            why = ": active already, not allowed, or the product secret is wrong"
            found = "the cloud answered %d" % code
            return str(code), found + why if code >= _DEVICE else found
        if status != _OK:
            raise PointError(HTTP_STATUS, "HTTP %d" % status)
        return SUCCESS, reply.get("data")
