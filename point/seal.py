"""Signatures and sealed messages under a claim key (docs/protocol.md).

The claim key is the board's own, made by claim_key(), or the product's secret. Both
directions are here: the board and the server share them.
"""

from .compat import aes, binascii, const
from .digest import equal, hmac_sha256
from .errors import SEAL, SETTING, PointError

_CBC = const(2)


def claim_key(master, product_key, imei):
    """A board's claim key, 32 bytes; only servers and factories hold `master`."""
    return hmac_sha256(master, ("claim" + product_key + "imei" + imei).encode())


def key_of(text):
    """The claim key in the 64 hex digits of a claim.key. Raises PointError(SETTING)."""
    text = text.strip()
    if len(text) != 64 or text.strip(b"0123456789abcdefABCDEF"):
        raise PointError(SETTING, "claim.key is not 64 hex digits")
    return unhexed(text)


def sign(key, kind, imei, product_key, request_id, time=0):
    """The hex signature of a request, or with `kind` "ack" of its acknowledgement.

    `kind` is "" for the request itself, so that the text is the documented one.
    """
    text = "imei%sproductKey%srequestId%stime%d" % (imei, product_key, request_id, time)
    return hexed(hmac_sha256(key, (kind + text).encode()))


def hexed(data):
    """Bytes as lower-case hex text."""
    return binascii.hexlify(data).decode()


def unhexed(text):
    """Hex text as bytes. Raises PointError(SEAL)."""
    try:
        return binascii.unhexlify(text)
    except (ValueError, TypeError):
        raise PointError(SEAL, "not hex")


def seal(key, purpose, context, text, iv):
    """`text` encrypted and authenticated: iv + AES-128-CBC + HMAC-SHA256, as bytes.

    The two keys are the halves of HMAC-SHA256(key, purpose); the MAC is over `context`,
    iv and ciphertext. `iv` is 16 fresh random bytes.
    """
    both = hmac_sha256(key, purpose)
    pad = 16 - len(text) % 16
    box = iv + aes(both[:16], _CBC, iv).encrypt(text + bytes([pad]) * pad)
    return box + hmac_sha256(both[16:], context + box)


def unseal(key, purpose, context, box):
    """The text in `box`. Raises PointError(SEAL) if it was not sealed with this key."""
    both = hmac_sha256(key, purpose)
    mac = box[-32:]
    box = box[:-32]
    # The MAC first: what is decrypted was sealed by a holder of the key.
    if len(box) < 32 or not equal(hmac_sha256(both[16:], context + box), mac):
        raise PointError(SEAL, "not sealed with this board's key")
    if len(box) % 16:
        raise PointError(SEAL, "not whole blocks")
    text = aes(both[:16], _CBC, box[:16]).decrypt(box[16:])
    if not 0 < text[-1] <= 16:
        raise PointError(SEAL, "padding")
    return text[: -text[-1]]
