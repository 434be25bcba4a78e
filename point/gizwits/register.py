"""Credentials from Gizwits' cloud: by a burned auth_key, or the older cloud's way.

What is certain of either and what is not: docs/gizwits.md.
"""

from .. import conversation, credentials, https
from ..compat import const
from ..errors import HTTP_STATUS, REFUSED, SUCCESS, PointError
from ..protocol import loads

_PORT = const(1883)  # the port that the cloud names is in clear,
_PORT_TLS = const(8883)  # this one has TLS


class _Refused(Exception):
    """The cloud said no; its argument is the code."""


class Registration:
    """As point.aliyun.register.Registration, with `by` "auth-key", "computed-key" or
    "classic".

    `access.identity` has the deviceName, which is the MAC or the IMEI, and the
    productSecret, which "auth-key" only needs without a did. `url` is the cloud's, None
    for its own in China.
    """

    request_id = None  # the cloud knows none

    def __init__(self, access, url, data, headers=None):
        self._access = access
        self._url = url
        self._product_key = data["productKey"]
        self._client = None

    def fetch(self):
        """(code, device_config or None); if it is refused, the access's error says so.

        Raises PointError: UNVERIFIED, before anything is sent, SETTING for an auth.key
        that is none, or what the network or the reply is wrong with.
        """
        access = self._access
        conversation.check_verified(access)
        if access.identity["by"] == "classic":
            from . import register_classic as kind
        else:
            from . import register_authkey as kind
        self._client = https.HttpClient(
            access.board.connect, self._url or kind.URL, access.trust, access.timeout_s
        )
        try:
            secret, form = kind.find(self._ask, access, self._product_key)
        except _Refused as error:
            code = error.args[0]
            access.error = PointError(REFUSED, "the cloud answered " + code)
            return code, None
        return SUCCESS, self._config(kind, secret, form)

    def acknowledge(self):
        """Do nothing: the cloud will see the device connect."""

    def close(self):
        if self._client:
            self._client.close()

    def _ask(self, path, body, media_type=None, headers=None):
        """A reply's bytes, to a POST, or to a GET if `body` is None."""
        status, reply = self._client.send(body, media_type, headers, path)
        if not 200 <= status < 300:
            if status < 400 or status >= 500 or status == 429:
                raise PointError(HTTP_STATUS, "HTTP %d" % status)
            raise _Refused(_code(status, reply))
        return reply

    def _config(self, kind, secret, form):
        name = self._access.identity["deviceName"]
        device = {"productKey": self._product_key, "deviceName": name}
        device[kind.FIELD] = secret
        port = form.get("port", "")
        port = int(port) if port.isdigit() else 0
        connect = {"host": form.get("address"), "qos": 1, "auth": kind.AUTH}
        connect["port"] = _PORT_TLS if port == _PORT else port
        connect["clientId"] = credentials.word("did", form.get("did"))
        return credentials.checked({"device": device, "connect": connect})


def _code(status, reply):
    """The cloud's own error code, or else the HTTP status; digits either way."""
    try:
        return str(credentials.number("", loads(reply).get("error_code"), 1, 99999))
    except PointError:
        return str(status)
