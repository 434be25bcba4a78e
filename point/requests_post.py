"""A client over anything that is called like requests.post.

micropython-lib's and CPython's give `content` as bytes; in QuecPython's it is a
generator of text or bytes, and json() is None where there was no body.
"""

from .compat import json
from .errors import CLOSED, MALFORMED, TOO_LARGE, PointError, refine
from .protocol import MAX_BODY


class RequestsClient:
    """The server at `url`, asked through `call(url, json=data, headers=…)`."""

    def __init__(self, call, url):
        self._call = call
        self._url = url

    def post(self, data, headers=None):
        """POST `data` as JSON, return (status, body). Raises PointError.

        The caller's data and headers stay as they are; the Content-Type is ours. The
        response is closed whatever happens.
        """
        ours = {"Content-Type": "application/json"}
        for name in headers or ():
            if name.lower() != "content-type":
                ours[name] = headers[name]
        response = None
        try:
            response = self._call(self._url, json=dict(data), headers=ours)
            return int(getattr(response, "status_code", 200)), _body(response)
        except (PointError, MemoryError):
            raise
        except OSError as error:
            raise refine(error, CLOSED)
        except Exception as error:  # QuecPython raises IndexError and RuntimeError
            number = CLOSED if response is None else MALFORMED
            raise PointError(number, "by " + type(error).__name__)
        finally:
            try:
                response.close()
            except Exception:
                pass  # there is no close(), or nothing left to close

    def close(self):
        """Each response was closed on its own."""


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
