"""The provisioning exchange, both directions: board and server read this one file.

Version 1 is the seed's (document 003 §4.2): POST a JSON object, get
{"code": "00000", "result": {"device": {…}, "connect": {…}}} or {"code": "40301"}.
"""

from . import credentials, imei, strictjson
from .compat import const, json
from .errors import (
    FIELD,
    HTTP_STATUS,
    MALFORMED,
    NO_CODE,
    SUCCESS,
    TOO_LARGE,
    PointError,
)

MAX_BODY = const(4096)  # bytes, either direction

# The server's refusals. Their first three digits are the HTTP status they come with.
BAD_REQUEST = "40001"
UNKNOWN_IMEI = "40301"
SLOW_DOWN = "42901"
INTERNAL = "50001"


def http_status(code):
    """The HTTP status a server sends `code` with."""
    return 200 if code == SUCCESS else int(code[:3])


def _loads(body):
    if len(body) > MAX_BODY:
        raise PointError(TOO_LARGE, "over %d bytes" % MAX_BODY)
    try:
        value = strictjson.loads(body)
    except (ValueError, RuntimeError):
        raise PointError(MALFORMED, "not JSON")
    if type(value) is not dict:
        raise PointError(MALFORMED, "not a JSON object")
    return value


def encode_request(board_imei, product_key):
    """The board's request as a dict, ready to be sent as JSON."""
    return {"imei": imei.check(board_imei), "productKey": product_key}


def decode_request(body):
    """The server's reading of a request body: {"imei": …, "productKey": … or None}.

    Raises PointError(MALFORMED, TOO_LARGE, FIELD or IMEI).
    """
    given = _loads(body)
    key = given.get("productKey")
    return {
        "imei": imei.check(given.get("imei")),
        "productKey": None if key is None else credentials.word("productKey", key),
    }


def encode_reply(code, device_config=None, retry_after=None):
    """The server's reply as bytes. `retry_after` is in seconds."""
    reply = {"code": code}
    if device_config is not None:
        reply["result"] = device_config
    if retry_after is not None:
        reply["retryAfter"] = retry_after
    return json.dumps(reply).encode()


def decode_reply(status, body):
    """The board's reading of a reply: (code, device_config), (code, None) if refused.

    Only HTTP 200 can carry success; a refusal is believed with any status. Raises
    PointError(HTTP_STATUS, MALFORMED, TOO_LARGE, FIELD or NO_CODE): nothing was got.
    """
    try:
        reply = _loads(body)
        if "code" not in reply:
            raise PointError(NO_CODE, "HTTP %d without a code" % status)
        code = credentials.word("code", reply["code"], 32)
        if code != SUCCESS:
            return code, None
    except PointError as error:
        if status != 200:
            raise PointError(HTTP_STATUS, "HTTP %d" % status)
        raise error
    if status != 200:
        raise PointError(HTTP_STATUS, "HTTP %d" % status)
    if "result" not in reply:
        raise PointError(FIELD, "result is missing")
    return code, credentials.checked(reply["result"])
