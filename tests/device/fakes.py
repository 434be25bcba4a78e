"""Stand-ins for what the component is given: streams, boards, flash folders."""

import os


def config():
    """A reply's `result` with all that the seed names, as a server may send it."""
    return {
        "device": {
            "productKey": "a1B2c3D4e5F",
            "deviceName": "board-0001",
            "deviceSecret": "0123456789abcdef0123456789abcdef",
        },
        "connect": {"qos": 1, "host": "mqtt.example.com", "cleanSession": 1},
    }


class Stream:
    """What point.stream.Stream is to https and broker: `reply` goes in, `writes` come.

    At the end of `reply` the peer has closed, or with `open` nothing has come yet.
    """

    def __init__(self, reply=b"", open=False):
        self.reply = reply
        self.open = open
        self.writes = []
        self.closed = 0
        self.waits = True
        self.deadlines = []
        self.secured = []

    def within(self, timeout_s):
        self.deadlines.append(timeout_s)

    def secure(self, host, trust):
        self.secured.append((host, trust))

    def read(self, count):
        data, self.reply = self.reply[:count], self.reply[count:]
        if not data and count and self.open and not self.waits:
            return None
        return data

    def write(self, data):
        self.writes.append(bytes(data))

    def close(self):
        self.closed += 1


class Talk(Stream):
    """A stream to a peer that answers: `answer(bytes written)` gives what to read."""

    def __init__(self, answer):
        Stream.__init__(self)
        self._answer = answer

    def write(self, data):
        Stream.write(self, data)
        self.reply += self._answer(bytes(data))


NOW = 1800000000  # 2027-01-15: a clock that is right


class Board:
    """A board whose waits are nothing, and whose network is scripted streams.

    Each of `replies` is what a connection gives, or the error it ends in; a function is
    asked for each write. The last is given for ever if it is a function.
    """

    DIR = "."
    VERIFIES = True

    def __init__(self, directory=".", replies=()):
        self.DIR = directory
        self.replies = list(replies)
        self.streams = []
        self.connected = []
        self.fed = 0
        self.onlines = []
        self.clock = NOW
        self.clocks = []

    def online(self, timeout_s):
        self.onlines.append(timeout_s)

    def connect(self, host, port, trust, timeout_s):
        self.connected.append((host, port, trust, timeout_s))
        reply = self.replies[0]
        if not callable(reply) or len(self.replies) > 1:
            self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        self.streams.append(Talk(reply) if callable(reply) else Stream(reply))
        return self.streams[-1]

    def now(self):
        return self.clock

    def network_time(self):
        return None

    def set_clock(self, unix_s):
        self.clock = unix_s
        self.clocks.append(unix_s)

    def random(self, count):
        """No wait (two bytes), and no lot that is drawn (one byte)."""
        return bytes(count) if count == 2 else b"\xff" * count

    def feed(self):
        self.fed += 1


class Dice:
    """Random bytes that are fair, and the same in each run: xorshift32."""

    def __init__(self, seed=1):
        self.state = seed * 2654435769 & 0xFFFFFFFF or 1

    def __call__(self, count):
        found = bytearray(count)
        for place in range(count):
            x = self.state
            x ^= x << 13 & 0xFFFFFFFF
            x ^= x >> 17
            x ^= x << 5 & 0xFFFFFFFF
            self.state = x
            found[place] = x >> 11 & 255
        return bytes(found)


class Folder:
    """An empty folder below the current one, as flash; remove() takes it away."""

    def __init__(self):
        self.path = "flash-%d" % int.from_bytes(os.urandom(4), "big")
        os.mkdir(self.path)

    def file(self, name):
        return self.path + "/" + name

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def write(self, name, data):
        with open(self.file(name), "wb") as file:
            file.write(data)

    def names(self):
        return sorted(os.listdir(self.path))

    def remove(self):
        for name in self.names():
            try:
                os.remove(self.file(name))
            except OSError:
                os.rmdir(self.file(name))
        os.rmdir(self.path)


def http(body, status="200 OK", head=""):
    """A whole HTTP reply."""
    text = "HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), head)
    return text.encode() + body


class Socket:
    """A connected socket as MicroPython and CPython both have it.

    `incoming` is what the peer says; after it the peer is silent, or has closed if
    `closed` is set. `sent` is one item for each send, `most` all that one send takes.
    """

    def __init__(self, incoming=b"", closed=False, most=1 << 30):
        self.incoming = incoming
        self.peer_closed = closed
        self.most = most
        self.sent = []
        self.options = []
        self.timeouts = []
        self.connected = None
        self.closes = 0

    def setsockopt(self, level, option, value):
        self.options.append((level, option, value))

    def settimeout(self, seconds):
        self.timeouts.append(seconds)

    def connect(self, address):
        self.connected = address

    def send(self, data):
        self.sent.append(bytes(data[: self.most]))
        return len(self.sent[-1])

    def recv(self, most):
        data, self.incoming = self.incoming[:most], self.incoming[most:]
        if not data and not self.peer_closed:
            raise OSError(11)  # also when a time-out has passed, on the unix port
        return data

    def close(self):
        self.closes += 1


class Network:
    """A socket module that hands out `sock`."""

    SOCK_STREAM = 1

    def __init__(self, sock):
        self._sock = sock

    def getaddrinfo(self, host, port, *more):
        return [(2, 1, 6, "", (host, port))]

    def socket(self, *kind):
        return self._sock


class Patch:
    """Replace attributes of a module until undo()."""

    def __init__(self):
        self._saved = []

    def set(self, module, name, value):
        self._saved.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    def undo(self):
        while self._saved:
            setattr(*self._saved.pop())


def hold(patch):
    """Keep the modules of point loaded: a test has patched some of them.

    A board unloads them once it has its credentials."""
    from point import access

    if hasattr(access, "provisioning"):
        patch.set(access.provisioning, "unload", lambda: None)
