"""Random bytes where firmware has no uos.urandom: a hash over unpredictable values.

What it gives names requests and begins ciphers; it must not repeat, and not be guessed
by who knows the board but not its claim key.
"""

import net
import utime

from point.compat import gc
from point.digest import hmac_sha256

_pool = None
_given = 0


def random(count, secret):
    """`count` bytes. `secret()` is asked once for something that is not known."""
    global _pool, _given
    if _pool is None:
        _pool = hmac_sha256(b"pool", secret())
        for _ in range(32):  # radio and flash take turns with us at odd moments
            utime.sleep_ms(1)
            _stir()
    found = b""
    while len(found) < count:
        _stir()
        _given += 1
        found += hmac_sha256(_pool, b"give %d" % _given)
    return found[:count]


def _stir():
    global _pool
    seen = (utime.ticks_us(), utime.ticks_cpu(), utime.time(), gc.mem_free())
    _pool = hmac_sha256(_pool, repr(seen + (net.csqQueryPoll(),)).encode())
