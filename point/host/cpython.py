"""What CPython lacks of MicroPython. compat imports it there; a board never has it."""

import hmac
import time

# A server derives, signs and seals for thousands of boards a second.
hmac_digest = hmac.digest


class aes:
    """cryptolib.aes, as far as the device code uses it: modes 1 (ECB) and 2 (CBC)."""

    def __init__(self, key, mode, iv=None):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        chaining = modes.CBC(iv) if mode == 2 else modes.ECB()
        cipher = Cipher(algorithms.AES(key), chaining)
        self.encrypt = cipher.encryptor().update
        self.decrypt = cipher.decryptor().update


def const(value):
    return value


def ticks_ms():
    return time.monotonic_ns() // 1000000


def ticks_add(ticks, delta):
    return ticks + delta


def ticks_diff(end, start):
    return end - start


def sleep_ms(ms):
    time.sleep(ms / 1000)
