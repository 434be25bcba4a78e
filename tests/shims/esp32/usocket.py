"""ESP32's sockets: newlib's numbers for what goes wrong, and no network of their own.

With "gated" in the script nothing resolves and nothing connects until PPP or Wi-Fi is
up. Everything else is the runtime's own sockets, MicroPython's only: point.compat does
not look here on CPython.
"""

import socket as _socket

import network
from machine import _script

AF_INET = _socket.AF_INET
SOCK_STREAM = _socket.SOCK_STREAM
SOCK_DGRAM = _socket.SOCK_DGRAM

_ETIMEDOUT = 116
_EHOSTUNREACH = 118
_EAI_FAIL = -202


def _carried():
    return network.up() or not _script["gated"]


def getaddrinfo(host, port, *hints):
    if not _carried() or _script["gated"] and not network.resolves():
        raise OSError(_EAI_FAIL)
    try:
        return _socket.getaddrinfo(host, port, *hints)
    except OSError as error:
        raise OSError(_EAI_FAIL) from error


class socket:
    def __init__(self, *kind):
        self._socket = _socket.socket(*kind)
        self._timeout = None
        self.setsockopt = self._socket.setsockopt
        self.close = self._socket.close

    def settimeout(self, timeout):
        self._timeout = timeout
        self._socket.settimeout(timeout)

    def connect(self, address):
        return self._tried(self._socket.connect, address)

    def recv(self, most):
        return self._tried(self._socket.recv, most)

    def send(self, data):
        return self._tried(self._socket.send, data)

    def sendto(self, data, address):
        return self._tried(self._socket.sendto, data, address)

    def _tried(self, call, *arguments):
        if not _carried():
            raise OSError(_EHOSTUNREACH)
        try:
            return call(*arguments)
        except OSError as error:
            number = error.args[0]
            if number == 110 or self._timeout and number in (11, 115):
                number = _ETIMEDOUT
            raise OSError(number) from error
