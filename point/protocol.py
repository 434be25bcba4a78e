"""The provisioning exchange as a board speaks it; protocol_server is the other half.

Version 1 is the seed's (document 003 §4.2): POST a JSON object, get
{"code": "00000", "result": {"device": {…}, "connect": {…}}} or {"code": "40301"}.
Version 2 signs the request and seals the result: docs/protocol.md.
"""

from . import credentials, imei, strictjson
from .compat import const
from .errors import (
    HTTP_STATUS,
    MALFORMED,
    NO_CODE,
    SEAL,
    SUCCESS,
    TOO_LARGE,
    PointError,
)
from .seal import sign, unhexed, unseal

MAX_BODY = const(4096)  # bytes, either direction
_MAX_RETRY_S = const(3600)  # a refusal proves nothing: it cannot silence a board

# The server's refusals. Their first three digits are the HTTP status they come with.
BAD_REQUEST = "40001"
BAD_SIGNATURE = "40101"
REPLAYED = "40102"
UNKNOWN_IMEI = "40301"
REVOKED = "40302"
WAITING = "40303"  # for an operator's approval
ALREADY_ISSUED = "40901"
SLOW_DOWN = "42901"
POOL_EMPTY = "50301"
INTERNAL = "50001"


def loads(body):
    """A body that is one JSON object. Raises PointError(TOO_LARGE or MALFORMED)."""
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
    """The board's request, version 1, as a dict, ready to be sent as JSON."""
    return {"imei": imei.check(board_imei), "productKey": product_key}


def claim(request, request_id, key, time=0, secret=None):
    """`request`, of at least imei and productKey, as version 2: signed with `key`.

    `request_id` is 32 hex digits; `time` is Unix seconds, 0 where no clock is to be
    trusted; `secret` is the deviceSecret that a board has already, to prove it.
    """
    product_key = credentials.word("productKey", request.get("productKey"))
    names = imei.check(request.get("imei")), product_key, request_id, time
    signed = dict(request)
    signed["requestId"] = request_id
    signed["time"] = time
    signed["signMethod"] = "hmacsha256"
    signed["sign"] = sign(key, "", *names)
    if secret:
        signed["proof"] = sign(secret.encode(), "proof", *names)
    return signed


def acknowledge(request, request_id, key):
    """The message that `request_id`'s reply is in flash, read back and whole."""
    names = request["imei"], request["productKey"]
    return {
        "imei": names[0],
        "productKey": names[1],
        "requestId": request_id,
        "ack": sign(key, "ack", names[0], names[1], request_id),
    }


def decode_code(status, body):
    """A reply's code, and the whole reply.

    Only HTTP 200 can carry success; a refusal is believed with any status. Raises
    PointError(HTTP_STATUS, MALFORMED, TOO_LARGE, FIELD or NO_CODE): nothing was got.
    """
    try:
        reply = loads(body)
        if "code" not in reply:
            raise PointError(NO_CODE, "HTTP %d without a code" % status)
        code = credentials.word("code", reply["code"], 32)
        if code != SUCCESS or status == 200:
            return code, reply
    except PointError as error:
        if status == 200:
            raise error
    raise PointError(HTTP_STATUS, "HTTP %d" % status)


def decode_reply(status, body, key=None, request_id=None):
    """The board's reading of a reply: (code, device_config or None, retryAfter in s).

    With `key` only a sealed result counts. Raises as decode_code() or PointError(SEAL).
    """
    code, reply = decode_code(status, body)
    if code != SUCCESS:
        return code, None, _retry_after(reply.get("retryAfter"))
    if key is None:
        result = reply.get("result")
    elif type(reply.get("sealed")) is not str:
        raise PointError(SEAL, "the result is not sealed")
    else:
        context = request_id.encode()
        box = unhexed(reply["sealed"])
        result = loads(unseal(key, b"seal" + context, context, box))
    return code, credentials.checked(result), 0


def _retry_after(given):
    if type(given) is int and given > 0:
        return min(given, _MAX_RETRY_S)
    return 0
