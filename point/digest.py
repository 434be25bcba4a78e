"""HMAC (RFC 2104) over any hash, and a comparison in constant time."""

from .compat import hashlib, hmac_digest


def sha256(data):
    """SHA-256 of bytes, 32 bytes."""
    return hashlib.sha256(data).digest()


def hmac(sha, key, message):
    """HMAC of `message` under `key`, both bytes of any length; as long as a digest.

    `sha` is a hash of 64-byte blocks, as a function from bytes to their digest: MD5,
    SHA-1, SHA-256.
    """
    if len(key) > 64:
        key = sha(key)
    key += bytes(64 - len(key))
    inner = sha(bytes(byte ^ 0x36 for byte in key) + message)
    return sha(bytes(byte ^ 0x5C for byte in key) + inner)


def hmac_sha256(key, message):
    """HMAC-SHA256 of `message` under `key`, both bytes of any length; 32 bytes."""
    if hmac_digest:
        return hmac_digest(key, message, "sha256")
    return hmac(sha256, key, message)


def equal(one, other):
    """True if two byte strings are the same, in a time that only depends on `one`."""
    difference = len(one) ^ len(other)
    for place in range(len(one)):
        difference |= one[place] ^ (other[place] if place < len(other) else 0)
    return not difference
