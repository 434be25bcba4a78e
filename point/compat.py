"""The runtime's names under one spelling: the only file that knows who runs us.

Each name is tried as old MicroPython spells it (`ujson`) and then as everybody else
does, because QuecPython's 1.13 build has no aliases. Features are probed, never
versions.
"""

try:
    import ubinascii as binascii
except ImportError:
    import binascii
try:
    import ujson as json
except ImportError:
    import json
try:
    import uos as os
except ImportError:
    import os
try:
    import usocket as socket
except ImportError:
    import socket
try:
    import ustruct as struct
except ImportError:
    import struct
try:
    import utime as time
except ImportError:
    import time
try:
    import uio as io
except ImportError:
    import io
try:
    import uselect as select
except ImportError:
    import select
try:
    import tls  # MicroPython since 1.23; before, and on CPython, it is ssl
except ImportError:
    try:
        import ssl as tls
    except ImportError:
        tls = None  # QuecPython: its board adapter brings its own

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


try:
    from time import sleep_ms, ticks_add, ticks_diff, ticks_ms
except ImportError:  # CPython, or a build without the plain name
    if hasattr(time, "ticks_ms"):
        sleep_ms = time.sleep_ms
        ticks_add = time.ticks_add
        ticks_diff = time.ticks_diff
        ticks_ms = time.ticks_ms
    else:

        def ticks_ms():
            return time.monotonic_ns() // 1000000

        def ticks_add(ticks, delta):
            return ticks + delta

        def ticks_diff(end, start):
            return end - start

        def sleep_ms(ms):
            time.sleep(ms / 1000)


# MicroPython counts seconds from 2000 on most boards, from 1970 on unix and CPython.
EPOCH = 0 if time.localtime(86400)[0] == 1970 else 946684800  # 1.13 has no gmtime


def crc32(data):
    """CRC-32 (IEEE 802.3) of bytes, also where the firmware's binascii lacks it."""
    if hasattr(binascii, "crc32"):
        return binascii.crc32(data) & 0xFFFFFFFF
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
