"""QuecPython's `usocket`, over the runtime's real sockets.

Old firmware: a refused connection passes for one if a time-out is set; a name that does
not resolve gives an empty list; the end of a connection is an error, and what is read
after it is garbage; waits over five seconds are rounded down to fives; TCP_NODELAY is
not known. New firmware differs in the end of a connection (vm.SCRIPT["fin"]).
"""

import vm

_socket = vm.socket
AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
IPPROTO_TCP = 6
SOL_SOCKET = 0xFFF
SO_REUSEADDR = 4
TCP_KEEPALIVE = 2
_EAGAIN = (11, "timed out")


def getaddrinfo(host, port, *more):
    """(family, type, protocol, name, (address, port)) of each; [] if there is none."""
    try:
        found = _socket.getaddrinfo(host, port, AF_INET, SOCK_STREAM)
    except (OSError, ValueError):
        return []
    return [tuple(one[:4]) + ((host, port),) for one in found]


class socket(vm.io.IOBase):
    def __init__(self, family=AF_INET, kind=SOCK_STREAM, protocol=0):
        self._kind = kind
        self._real = _socket.socket(family, kind)
        self._timeout_s = None
        self._state = 0  # lwIP's: 4 is established, 7 the peer has closed
        self._ended = False

    def connect(self, address):
        found = _socket.getaddrinfo(address[0], address[1], AF_INET, SOCK_STREAM)
        limit = int(self._timeout_s or 0)
        try:
            self._real.settimeout(limit or None)
            self._real.connect(found[0][-1])
            self._state = 4
        except OSError as error:
            # lwIP's select() returns for an RST too, and nobody looks at which it was.
            if not 0 < limit < 25 or error.args[0] not in (111,):
                raise

    def settimeout(self, seconds):
        self._timeout_s = seconds

    def setblocking(self, blocking):
        self._timeout_s = None if blocking else 0

    def setsockopt(self, level, option, value):
        if option not in (SO_REUSEADDR, TCP_KEEPALIVE):
            print("Warning: lwip.setsockopt() option not implemented")

    def getsocketsta(self):
        return self._state if vm.SCRIPT["states"] else 0

    def _waiting(self, call, *arguments):
        """Call with the time-out as lwIP sees it: in tenths, in fives above five."""
        limit = self._timeout_s
        if limit:
            limit = limit // 5 * 5 if limit > 5 else int(limit * 10) / 10
        self._real.settimeout(limit)
        if self._state < 4 and self._kind == SOCK_STREAM:
            raise OSError(104)
        try:
            return call(*arguments)
        except OSError as error:
            if error.args[0] in _EAGAIN:
                raise OSError(110 if limit else 11)
            raise

    def recv(self, size):
        if self._ended:
            raise OSError(0)  # whatever was in that word of the stack
        data = self._waiting(self._real.recv, size)
        if not data:
            self._ended = True
            self._state = 7
            if vm.SCRIPT["fin"]:
                raise OSError(vm.SCRIPT["fin"])
        return data

    def read(self, size):
        """All of it, as MicroPython's streams: a time-out counts from each byte."""
        data = b""
        while len(data) < size:
            try:
                more = self.recv(size - len(data))
            except OSError:
                if not data:
                    raise
                break
            if not more:
                break
            data += more
        return data

    def send(self, data):
        return self._waiting(self._real.send, data)

    def write(self, data, length=None):
        data = data.encode() if isinstance(data, str) else data
        return self.send(bytes(data if length is None else data[:length]))

    def sendto(self, data, address):
        return self._waiting(self._real.sendto, data, address)

    def readinto(self, buffer):
        try:
            data = self.recv(len(buffer))
        except OSError as error:
            return -abs(error.args[0])
        buffer[: len(data)] = data
        return len(data)

    def ioctl(self, request, argument):
        return 0

    def close(self):
        self._state = 0
        self._real.close()
