"""A URL, taken apart (RFC 3986 §3, as far as a POST needs it)."""

from .errors import OPTION, PointError

_SCHEMES = ("https://", "http://")


def split(url):
    """(secure, authority, host, port, path) of an http or https URL.

    `secure` is True for https, `authority` is what a Host header says, `path` has the
    query. Raises PointError(OPTION).
    """
    if type(url) is not str or url[: url.find("://") + 3] not in _SCHEMES:
        raise PointError(OPTION, "url does not begin with https://")
    for char in url:
        if not "!" <= char <= "~":
            raise PointError(OPTION, "url holds a character that is not allowed")
    secure = url[4] == "s"
    authority, path = _cut(url[8 if secure else 7 :], "/")
    if authority.startswith("["):  # an IPv6 address: [::1]:8443
        host, port = _cut(authority[1:], "]")
        port = port[1:]
    else:
        host, port = _cut(authority, ":")
    port = port[1:] or ("443" if secure else "80")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise PointError(OPTION, "url has no usable host and port")
    return secure, authority, host, int(port), path or "/"


def _cut(text, mark):
    """`text` before the first `mark`, and the rest with it."""
    at = text.find(mark)
    return (text, "") if at < 0 else (text[:at], text[at:])
