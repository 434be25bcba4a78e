"""MicroPython's ustruct on CPython."""

from struct import pack, pack_into, unpack  # noqa: F401
