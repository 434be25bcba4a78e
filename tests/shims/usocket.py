"""MicroPython's usocket on CPython, as far as umqtt.simple and point.compat need it."""

import socket as _socket
from socket import SOCK_STREAM, socket  # noqa: F401


def getaddrinfo(host, port, family=_socket.AF_INET, kind=SOCK_STREAM):
    """MicroPython's default is IPv4, and umqtt takes the first answer."""
    return _socket.getaddrinfo(host, port, family, kind)
