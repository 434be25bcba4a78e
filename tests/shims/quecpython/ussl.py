"""QuecPython's `ussl`: verifies nobody, unless the firmware takes `ca`.

A read that finds nothing yet is None on old firmware, and an error on new.

New firmware takes `ca` as PEM. Its TLS really ignores certificates
that are not valid yet; the runtime's TLS below these shims does not.
"""

import tls_link
import vm


class _SSLSocket:
    """No settimeout(), no recv()."""

    def __init__(self, stream, host, ca):
        if not hasattr(stream, "write"):
            raise OSError("stream operation not supported")
        self._stream = stream
        made = tls_link.link(stream, host, ca)
        self._read, self.write, self._close, self._certificate = made

    def read(self, size):
        data = self._read(size)
        if data is None and not vm.OLD:
            raise OSError(-11)  # it turns the sign of errors, and of this one, too
        return data

    def setblocking(self, blocking):
        self._stream.setblocking(blocking)

    def close(self):
        self._close()
        if hasattr(self._stream, "_real"):
            self._stream.close()


if vm.SCRIPT["peercert"]:

    def _getpeercert(self, binary_form):
        if not binary_form:
            raise NotImplementedError
        return self._certificate()

    _SSLSocket.getpeercert = _getpeercert


def _old(
    sock,
    *,
    key=None,
    cert=None,
    server_side=False,
    server_hostname=None,
    do_handshake=True,
):
    return _SSLSocket(sock, server_hostname, None)


def _new(
    sock,
    *,
    key=None,
    cert=None,
    ca=None,
    server_side=False,
    server_hostname=None,
    do_handshake=True,
):
    if not hasattr(sock, "write"):
        raise OSError("stream operation not supported")
    if ca is not None:
        lines = [line for line in ca.split("\n") if line and line[:5] != "-----"]
        if "-----BEGIN CERTIFICATE-----" not in ca:
            raise ValueError("invalid ca")
        ca = vm.binascii.a2b_base64("".join(lines))
    return _SSLSocket(sock, server_hostname, ca)


wrap_socket = _old if not vm.SCRIPT["ca"] else _new
