"""HMAC-SHA256 (RFC 2104) and a comparison that tells no timing."""

from .compat import hashlib


def sha256(data):
    """SHA-256 of bytes, 32 bytes."""
    return hashlib.sha256(data).digest()


def hmac_sha256(key, message):
    """HMAC-SHA256 of `message` under `key`, both bytes of any length; 32 bytes."""
    if len(key) > 64:
        key = sha256(key)
    key += bytes(64 - len(key))
    inner = sha256(bytes(byte ^ 0x36 for byte in key) + message)
    return sha256(bytes(byte ^ 0x5C for byte in key) + inner)


def equal(one, other):
    """True if two byte strings are the same, in a time that only depends on `one`."""
    difference = len(one) ^ len(other)
    for place in range(len(one)):
        difference |= one[place] ^ (other[place] if place < len(other) else 0)
    return not difference
