"""Gizwits: a device's login over MQTT, as the cloud's own firmware does it.

A `did` is the id that the cloud gave the device, kept as connect's clientId.
"""

from ..compat import binascii, const
from ..digest import sha256
from ..errors import OPTION, PointError

_LETTERS = const(10)


def login(device, connect, random):
    """(client_id, user, password) by auth_key: a SHA-256 sum under a fresh nonce.

    The deviceName is the MAC, or the IMEI of a cellular device; a customer's server may
    send the key as the deviceSecret. Raises PointError(OPTION) without a did.
    """
    did = _did(connect)
    nonce = letters(random)
    user = "%s|signmethod=sha256,signnonce=%s" % (did, nonce)
    key = device.get("authKey") or device["deviceSecret"]
    return did, user, token(device["productKey"], device["deviceName"], key, nonce)


def token(product_key, mac, auth_key, nonce):
    """The lower hex password for `nonce`; `mac` in any usual spelling."""
    text = ",".join((product_key, bare(mac), auth_key, nonce))
    return binascii.hexlify(sha256(text.encode())).decode()


def etag(auth_key, nonce, body):
    """The signature over the bytes of a request's body, sent beside its token."""
    signed = ",".join((auth_key, nonce, "")).encode() + body
    return binascii.hexlify(sha256(signed)).decode()


def letters(random):
    """Ten random letters: a nonce, or the older cloud's passcode."""
    return "".join([chr(65 + byte % 26) for byte in random(_LETTERS)])


def bare(mac):
    """A MAC as the cloud signs it: lower case, nothing between; an IMEI as it is."""
    return mac.replace(":", "").replace("-", "").lower()


def classic_login(device, connect):
    """(client_id, user, password) of the older cloud: the did, and its passcode.

    The deviceSecret is the passcode. Raises PointError(OPTION) without a did.
    """
    did = _did(connect)
    return did, did, device["deviceSecret"]


def _did(connect):
    did = connect.get("clientId")
    if not did:
        raise PointError(OPTION, "clientId, which is the did, is missing")
    return did
