"""Gizwits: where to log in, asked under the signature of a burned auth_key.

auth.key in flash holds the key, 32 lower-case hex digits, and after a comma the did if
it is known. A device without a did asks by its MAC or IMEI, with a token under the
product secret, as the cloud's own firmware does; where that is not set, under the key.
"computed-key" makes the key by point.gizwits.authkey instead, which is ours: no cloud
knows it.
"""

from .. import credentials
from ..errors import SETTING, PointError
from ..seal import hexed
from ..store import read_setup
from . import form, login

URL = "https://agent.gizwitsapi.com"
AUTH = "gizwits"
FIELD = "authKey"
_NEW = "is_reset=1&random_code=%s&lan_proto_ver=v5.0&user_id="


def find(ask, access, product_key):
    """(auth_key, the cloud's form with did, address and port)."""
    given = access.identity
    mac = given["deviceName"]
    if given["by"] == "computed-key":
        from .authkey import derive

        key, did = derive(given["productSecret"], product_key, mac), ""
    else:
        key, did = read(access.board.DIR)
    secret, body = key, None
    path = "/v2/devices/%s/bootstrap" % did
    if not did:
        secret = given["productSecret"] or key
        body = (_NEW % hexed(access.random(16))).encode()
        names = product_key, login.bare(mac)
        path = "/v2/products/%s/devices/%s/network" % names
    nonce = login.letters(access.random)
    headers = {"X-Sign-Method": "sha256", "X-Sign-Nonce": nonce}
    headers["X-Sign-Token"] = login.token(product_key, mac, secret, nonce)
    headers["X-Trace-Id"] = hexed(access.random(16))
    if body:
        headers["X-Sign-ETag"] = login.etag(key, nonce, body)
    found = form.parse(ask(path, body, "text/plain", headers))
    found["did"] = did or found.get("device_id")
    return key, found


def read(directory):
    """(auth_key, did or "") that the factory burned. Raises PointError(SETTING)."""
    try:
        text = str(read_setup(directory, "auth.key"), "utf-8").strip()
        key, did = (text + ",").split(",")[:2]
        if did:
            credentials.word("did", did)
    except (UnicodeError, PointError) as error:
        raise PointError(SETTING, "auth.key: " + getattr(error, "detail", "not text"))
    if len(key) != 32 or key.strip("0123456789abcdef"):
        raise PointError(SETTING, "auth.key does not begin with 32 hex digits")
    return key, did
