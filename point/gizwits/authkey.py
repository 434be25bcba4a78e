"""OUR reference algorithm for a Gizwits auth_key that a device makes by itself.

The cloud's own algorithm for devices that are entered in advance is not public. This
one stands in its place, for the sandbox and for clouds of one's own: the real cloud
does not know it. A firmware under another agreement puts that in place of this module.
"""

from ..compat import binascii
from ..digest import hmac_sha256
from .login import bare

NAME = "pointaccess-reference-1"


def derive(product_secret, product_key, mac):
    """The auth_key of one device, 32 lower-case hex digits.

    `mac` is its MAC in any usual spelling, or its IMEI. The first half of HMAC-SHA256
    under the product's secret over "authkey,{product_key},{mac}".
    """
    text = ",".join(("authkey", product_key, bare(mac)))
    digest = hmac_sha256(product_secret.encode(), text.encode())
    return binascii.hexlify(digest[:16]).decode()
