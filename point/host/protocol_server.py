"""The provisioning exchange as a server speaks it. It is not put on boards."""

from .. import credentials, imei
from ..compat import json
from ..errors import FIELD, SUCCESS, PointError
from ..protocol import loads
from ..seal import hexed, seal


def http_status(code):
    """The HTTP status a server sends `code` with."""
    return 200 if code == SUCCESS else int(code[:3])


def decode_request(body):
    """The server's reading of a request body, as a dict of what it may hold:

    imei, productKey (None if absent), requestId, time, sign, proof, ack (those absent
    are None, time is 0). Raises PointError(MALFORMED, TOO_LARGE, FIELD or IMEI).
    """
    given = loads(body)
    key = given.get("productKey")
    if given.get("signMethod", "hmacsha256") != "hmacsha256":
        raise PointError(FIELD, "signMethod is not hmacsha256")
    request = {
        "imei": imei.check(given.get("imei")),
        "productKey": None if key is None else credentials.word("productKey", key),
        "time": credentials.number("time", given.get("time", 0), 0, 1 << 40),
    }
    for name, length in ("requestId", 32), ("sign", 64), ("proof", 64), ("ack", 64):
        request[name] = _hex(name, given.get(name), length)
    return request


def _hex(name, value, length):
    if value is not None:
        credentials.text(name, value, length)
        if len(value) != length or value.strip("0123456789abcdef"):
            raise PointError(FIELD, "%s is not %d hex digits" % (name, length))
    return value


def encode_reply(code, device_config=None, retry_after=None):
    """The server's reply, in clear, as bytes. `retry_after` is in seconds."""
    reply = {"code": code}
    if device_config is not None:
        reply["result"] = device_config
    if retry_after is not None:
        reply["retryAfter"] = retry_after
    return json.dumps(reply).encode()


def encode_sealed_reply(device_config, key, request_id, iv):
    """The reply that only the board with `key` can read; `iv` is 16 random bytes."""
    context = request_id.encode()
    text = json.dumps(device_config).encode()
    sealed = hexed(seal(key, b"seal" + context, context, text, iv))
    return json.dumps({"code": SUCCESS, "sealed": sealed}).encode()
