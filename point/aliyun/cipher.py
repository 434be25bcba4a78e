"""Alibaba Living Link: the provisioning key, and the local channel under it.

SHA-256(secret ‖ "," ‖ [mac ‖ ","] ‖ random) is document 001's formula. What the SDKs
make of it (iotkit-embedded awss_crypt.c, AliOS Things ali_auth.c), and a worked example
of each type: docs/alibaba.md.
"""

from ..compat import aes, binascii, const
from ..digest import sha256
from ..errors import OPTION, PointError

_DIGITS = "0123456789abcdef"
_BLOCK = const(16)
_ECB = const(1)
_CBC = const(2)
_PER_PRODUCT = const(3)  # with the productSecret, and what a null cipherType means
_PER_DEVICE = const(4)  # with the deviceSecret
_BLE_PER_PRODUCT = const(6)  # the same two with the MAC address
_BLE_PER_DEVICE = const(7)


def provisioning_key(cipher_type, secret, random, mac=None):
    """SHA-256 over the formula's bytes, 32 bytes.

    `cipher_type` is 3, 4, 6, 7 or None for 3; `secret` the product's (3, 6) or the
    device's (4, 7), text that is never hex-decoded; `random` 32 hex digits; `mac` 12
    hex digits as displayed, with or without separators, for 6 and 7. Raises
    PointError(OPTION) that names the argument.
    """
    if cipher_type is None:
        cipher_type = _PER_PRODUCT
    if cipher_type not in (
        _PER_PRODUCT,
        _PER_DEVICE,
        _BLE_PER_PRODUCT,
        _BLE_PER_DEVICE,
    ):
        _fail("cipher_type", "not one of 3, 4, 6, 7")
    if type(secret) is not str or not secret:
        _fail("secret", "not text")
    key = secret.encode() + b","
    if cipher_type >= _BLE_PER_PRODUCT:
        if type(mac) is str:
            for mark in ":-.":
                mac = mac.replace(mark, "")
        key += _unhexed("mac", mac, 6) + b","
    return sha256(key + _unhexed("random", random, 16))


def channel_key(cipher_type, secret, random, mac=None):
    """The AES-128 key used on the air: the first half. As provisioning_key()."""
    return provisioning_key(cipher_type, secret, random, mac)[:_BLOCK]


class Channel:
    """AES-128 for local messages, each by itself from `iv`; both are 16 bytes.

    `mode` is "cbc" (soft AP, router: hex text, filled with zero bytes) or "cfb"
    (SmartConfig, zero config: bytes). Neither is authenticated: what was decrypted
    proves nothing. Raises PointError(OPTION) that names the argument.
    """

    def __init__(self, key, iv, mode):
        self._key = _octets("key", key, _BLOCK)
        self._iv = _octets("iv", iv, _BLOCK)
        if mode not in ("cbc", "cfb"):
            _fail("mode", "neither cbc nor cfb")
        self._cbc = mode == "cbc"

    def encrypt(self, data):
        """`data`, bytes, as upper-case hex text (cbc) or as many bytes (cfb)."""
        data = _octets("data", data)
        if not self._cbc:
            return self._cfb(data, False)
        if data[-1:] == b"\0":
            _fail("data", "ended by a zero byte, as filling is")
        data += bytes(-len(data) % _BLOCK)
        data = aes(self._key, _CBC, self._iv).encrypt(data)
        return binascii.hexlify(data).decode().upper()

    def decrypt(self, data):
        """The bytes that `data` was made of, hex text (cbc) or bytes (cfb)."""
        if not self._cbc:
            return self._cfb(_octets("data", data), True)
        data = _unhexed("data", data)
        if len(data) % _BLOCK:
            _fail("data", "not whole blocks")
        return aes(self._key, _CBC, self._iv).decrypt(data).rstrip(b"\0")

    def _cfb(self, data, decrypting):
        """CFB128 (NIST SP 800-38A 6.3), which cryptolib lacks, out of single blocks."""
        ecb = aes(self._key, _ECB)
        before = self._iv
        done = b""
        for place in range(0, len(data), _BLOCK):
            block = data[place : place + _BLOCK]
            mask = ecb.encrypt(before)
            made = bytes([block[n] ^ mask[n] for n in range(len(block))])
            before = block if decrypting else made
            done += made
        return done


def _fail(name, why):
    raise PointError(OPTION, "%s is %s" % (name, why))


def _octets(name, value, size=None):
    if not isinstance(value, (bytes, bytearray)):
        _fail(name, "not bytes")
    if size and len(value) != size:
        _fail(name, "not %d bytes" % size)
    return bytes(value)


def _unhexed(name, text, size=None):
    """Hex text as bytes.

    The SDK takes another character for 0 and MicroPython passes over blanks between
    bytes: both would be a key, but not the other side's.
    """
    if type(text) is not str or len(text) % 2 or text.lower().strip(_DIGITS):
        _fail(name, "not hex text")
    return _octets(name, binascii.unhexlify(text), size)
