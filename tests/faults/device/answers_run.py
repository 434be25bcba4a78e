"""Put a board through answers made at random, on a clock that is simulated.

The board's own sockets, deadline and HTTP are at work; only the peer is a script.
"""

import json
import random

import fakes

import answers
from point import PointAccess, compat, stream
from point.compat import binascii
from point.store import Store
from report import Report, job

URL = "https://localhost/v1/access"
DATA = {"imei": "490154203237518", "productKey": "a1B2c3D4e5F"}
TIMEOUT_S = 30
LATE_MS = 500


class Clock:
    ms = 0


class Peer:
    """A socket whose other end sends an answer once it has read the request."""

    def __init__(self, key):
        self.key = key
        self.heard = b""
        self.request_id = None
        self.wire = b""
        self.parts = None
        self.end = None
        self.patience_ms = 0

    def setsockopt(self, *option):
        pass

    def settimeout(self, seconds):
        self.patience_ms = int(seconds * 1000)

    def send(self, data):
        self.heard += bytes(data)
        return len(data)

    def recv(self, most):
        if self.parts is None:
            request = json.loads(self.heard.split(b"\r\n\r\n", 1)[1])
            self.request_id = request.get("requestId")
            self.parts, self.end = answers.answer(self.key, self.request_id)
            for _, data in self.parts:
                self.wire += data
        if not self.parts:
            if self.end == answers.FIN:
                return b""
            if self.end == answers.RESET:
                raise OSError(104)
            Clock.ms += self.patience_ms
            raise OSError(11)  # the unix port's way to say that the time is up
        silence_ms, data = self.parts.pop(0)
        if silence_ms > self.patience_ms:
            Clock.ms += self.patience_ms
            self.parts.insert(0, (silence_ms - self.patience_ms, data))
            raise OSError(11)
        Clock.ms += silence_ms
        if len(data) > most:
            self.parts.insert(0, (0, data[most:]))
        return data[:most]

    def close(self):
        pass


class Board(fakes.Board):
    def __init__(self, folder, key):
        super().__init__(folder)
        self.key = key

    def connect(self, host, port, trust, timeout_s):
        self.peer = Peer(self.key)
        return stream.Stream(self.peer, timeout_s)

    def random(self, count):
        return bytes([random.getrandbits(8) for _ in range(count)])


def pause(ms):
    Clock.ms += ms


def one(report, board, access, where):
    """One request, and what must be true after it, whatever the answer was."""
    before = access.device_config
    text = json.dumps(before)
    begun = Clock.ms
    report.cases += 1
    try:
        code = access.request(URL, dict(DATA))
    except Exception as error:
        report.check(False, where, "escaped:", repr(error))
        return None
    took_ms = Clock.ms - begun
    report.check(took_ms <= TIMEOUT_S * 1000 + LATE_MS, where, "took", took_ms, "ms")
    report.check(type(code) is str and code, where, "code", code)
    if code == "00000":
        report.check(access.error is None, where, "00000 and", access.error)
        case = {"config": access.device_config, "requestId": board.peer.request_id}
        case["wire"] = binascii.hexlify(board.peer.wire).decode()
        print("ACCEPTED " + json.dumps(case))
    else:
        report.check(access.error is not None, where, code, "without an error")
        same = access.device_config is before and json.dumps(before) == text
        report.check(same, where, code, "and another device_config")
    return code


def keep(report, board, folder, where):
    """The same through ensure(): flash holds a whole record or none."""
    report.cases += 1
    store = Store(folder.path)
    access = PointAccess(
        board, trust={"ca": b"ca"}, claim_key=board.key, timeout_s=TIMEOUT_S
    )
    access.set_clock = lambda: None
    try:
        code = access.ensure(URL, DATA, attempts=2)
    except Exception as error:
        report.check(False, where, "escaped:", repr(error))
        return
    kept = store.load()
    if code == "00000":
        kept = {"device": kept["device"], "connect": kept["connect"]}
        report.check(kept == access.device_config, where, "flash holds", kept)
    else:
        report.check(kept is None, where, code, "and flash holds", kept)
    store.clear()


def main(wanted):
    stream.ticks_ms = lambda: Clock.ms
    compat.sleep_ms = pause
    key = wanted["key"] and wanted["key"].encode()
    report = Report("hostile answers" + (", claim key" if key else ""))
    folder = fakes.Folder()
    board = Board(folder.path, key)
    codes = {}
    for number in range(wanted["cases"]):
        random.seed(wanted["seed"] * 1000003 + number)
        access = PointAccess(board, trust={"ca": b"ca"}, claim_key=key)
        code = one(report, board, access, "case %d" % number)
        name = code if code == "00000" else access.error and access.error.name
        codes[name] = codes.get(name, 0) + 1
        if number % 4 == 0:
            keep(report, board, folder, "case %d, kept" % number)
    folder.remove()
    names = sorted(codes.keys(), key=lambda name: -codes[name])
    report.close(", ".join(["%s %d" % (name, codes[name]) for name in names]))


main(job())
