"""MicroPython's ubinascii on CPython."""

from binascii import crc32, hexlify, unhexlify  # noqa: F401
