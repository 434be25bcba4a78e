"""Gizwits' forms: name=value joined by &, and the older cloud's encryption of them.

AES-128-ECB under the product secret, PKCS#7, lower-case hex, as the cloud's encrypted
registration has it. One known client pads only a part of a block, so a text without
padding is read too. ECB hides no repetition and proves nothing: this travels in
TLS.
"""

from ..compat import aes, binascii, const
from ..errors import MALFORMED, SETTING, PointError
from ..seal import hexed, unhexed

_BLOCK = const(16)
_ECB = const(1)
_HEX = "0123456789abcdefABCDEF"


def parse(text):
    """{name: value} of a form in bytes. Raises PointError(MALFORMED)."""
    found = {}
    try:
        for pair in str(text, "utf-8").strip().split("&"):
            at = pair.find("=")
            if at < 1:
                raise ValueError
            found[pair[:at]] = pair[at + 1 :]
    except (ValueError, UnicodeError):
        raise PointError(MALFORMED, "not a form")
    return found


def sealed(product_secret, text):
    """`text` encrypted, as hex. Raises PointError(SETTING) for a malformed secret."""
    data = text.encode()
    count = _BLOCK - len(data) % _BLOCK
    data += bytes([count]) * count
    return hexed(_cipher(product_secret).encrypt(data))


def opened(product_secret, text):
    """The bytes of a reply in hex, filled or not. Raises PointError(MALFORMED)."""
    text = text.strip()
    if not text or len(text) % (2 * _BLOCK) or text.strip(_HEX.encode()):
        raise PointError(MALFORMED, "not encrypted")
    data = _cipher(product_secret).decrypt(unhexed(text))
    count = data[-1]
    if 0 < count <= _BLOCK and data.endswith(bytes([count]) * count):
        data = data[:-count]
    return data


def _cipher(product_secret):
    if len(product_secret) != 2 * _BLOCK or product_secret.strip(_HEX):
        raise PointError(SETTING, "productSecret is not 32 hex digits")
    return aes(binascii.unhexlify(product_secret), _ECB)
