"""Somebody else's `requests`: anything that is called like requests.post.

micropython-lib's and CPython's give `content` as bytes; in QuecPython's it is a
generator of text or bytes, and json() is None where there was no body.
"""

from .compat import json
from .errors import CLOSED, MALFORMED, TOO_LARGE, PointError, refine
from .protocol import MAX_BODY


def post(call, url, data, headers=None):
    """(status, body) of `call(url, json=data, headers=…)`. Raises PointError.

    The caller's data and headers stay as they are; the Content-Type is ours. The
    response is closed whatever happens.
    """
    ours = {"Content-Type": "application/json"}
    for name in headers or ():
        if name.lower() != "content-type":
            ours[name] = headers[name]
    try:
        response = call(url, json=dict(data), headers=ours)
    except MemoryError:
        raise
    except OSError as error:
        raise refine(error, CLOSED)
    except Exception as error:  # IndexError, RuntimeError: QuecPython has no order here
        raise PointError(CLOSED, "request failed: " + type(error).__name__)
    try:
        return getattr(response, "status_code", 200), _body(response)
    except PointError:
        raise
    except MemoryError:
        raise
    except OSError as error:
        raise refine(error, CLOSED)
    except Exception as error:
        raise PointError(MALFORMED, "reply unreadable: " + type(error).__name__)
    finally:
        try:
            response.close()
        except Exception:
            pass  # there is no close(), or nothing left to close


def _body(response):
    content = getattr(response, "content", None)
    if content is None:
        content = getattr(response, "text", None)
    if content is None:
        return json.dumps(response.json()).encode()
    if isinstance(content, (str, bytes)):
        content = (content,)
    body = b""
    for part in content:
        body += part.encode() if isinstance(part, str) else part
        if len(body) > MAX_BODY:
            raise PointError(TOO_LARGE, "over %d bytes" % MAX_BODY)
    return body
