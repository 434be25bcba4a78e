"""QuecPython's `request`, as far as the seed's usage goes.

Old: where the handshake fails it goes on in clear text. New: RuntimeError. A name that
does not resolve is an IndexError; bodies are generators; an empty one is None as JSON.
"""

import usocket
import ussl
import vm


class Response:
    def __init__(self, sock, status):
        self._sock = sock
        self.status_code = status

    @property
    def content(self):
        """A generator; what goes wrong on the way looks like the end."""
        while True:
            try:
                data = self._sock.read(255)
            except OSError:
                return
            if not data:
                return
            yield data

    def json(self):
        body = b"".join(self.content)
        return vm.json.loads(body) if body else None

    def close(self):
        self._sock.close()


def post(url, data=None, json=None, headers={}, timeout=None):
    scheme, _, authority, path = url.split("/", 3)
    host, port = authority.split(":")
    address = usocket.getaddrinfo(host, int(port))[0][-1]
    sock = usocket.socket()
    if timeout:
        sock.settimeout(timeout)
    sock.connect(address)
    if scheme == "https:":
        try:
            sock = ussl.wrap_socket(sock, server_hostname=host)
        except Exception as error:
            if not vm.OLD:
                raise RuntimeError("HTTPS USSL {}".format(error))
    body = vm.json.dumps(json) if data is None else data
    head = "POST /%s HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n" % (
        path,
        host,
        len(body),
    )
    for name in headers:
        head += "%s: %s\r\n" % (name, headers[name])
    sock.write(head + "\r\n" + body)
    line = b""
    status = None
    while line != b"\r\n":
        line = b""
        while line[-1:] != b"\n":
            byte = sock.read(1)
            if not byte:
                raise ValueError("HTTP error")
            line += byte
        status = status or int(line.split(b" ")[1])
    return Response(sock, status)
