"""Alink's messages: requests and replies as JSON, checked, and the codes of replies.

{"id", "version", "method", "params"} and {"id", "code", "data"}, as iotkit-embedded has
them (v3.0.1 dm_message.c, v3.2.0 bind_msg.h).
"""

from .. import strictjson
from ..compat import const, crc32, json
from ..errors import PointError

OK = const(200)
REQUEST_ERROR = const(400)
TOO_MANY = const(429)
PARAMETER_ERROR = const(460)
SERVICE_ERROR = const(500)

_ID_MAX = const(20)  # digits
_REMEMBERED = const(4)


def request(number, method, params):
    """A request as bytes; `number` is its id."""
    found = {"version": "1.0", "method": method, "params": params}
    found["id"] = str(number)
    return json.dumps(found).encode()


def decode(message):
    """The members of a message, its id as decimal text. Raises ValueError."""
    members = strictjson.loads(message)
    if type(members) is not dict:
        raise ValueError("not an object")
    number = members.get("id")
    if type(number) is int:
        number = members["id"] = str(number)
    if type(number) is not str or not 0 < len(number) <= _ID_MAX:
        raise ValueError("id")
    if number.strip("0123456789"):
        raise ValueError("id")
    return members


class Answers:
    """Answers the cloud's requests. A repeated request gets the first answer again."""

    def __init__(self, log):
        self._log = log
        self._given = []

    def answer(self, message, members, handler):
        """The reply to a request, whose handler(params) returns the reply's data.

        400 if it is not a request, 460 if the handler raises PointError, else 500.
        """
        mark = handler, crc32(message)
        for known, reply in self._given:
            if known == mark:
                return reply
        code, data = self._judge(members, handler)
        reply = {"id": members["id"], "code": code, "data": data}
        reply = json.dumps(reply).encode()
        if code == OK:
            self._given = [(mark, reply)] + self._given[: _REMEMBERED - 1]
        return reply

    def _judge(self, members, handler):
        for name in ("version", "method"):
            if type(members.get(name, "")) is not str:
                return REQUEST_ERROR, {}
        params = members.get("params")
        if type(params) is not dict:
            return PARAMETER_ERROR, {}
        try:
            return OK, handler(params)
        except PointError as error:
            self._log("refused", error)
            return PARAMETER_ERROR, {}
        except Exception as error:
            self._log("failed", type(error).__name__)
            return SERVICE_ERROR, {}
