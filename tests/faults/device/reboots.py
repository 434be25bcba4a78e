"""A thousand boots against a server that gives nothing, on a simulated clock."""

import random

import fakes

from point import PointAccess, compat
from point.errors import CONNECT, TIMEOUT, PointError
from point.store import Store
from report import Report, job

URL = "https://localhost/v2/access"
DATA = {"imei": "490154203237518", "productKey": "a1B2c3D4e5F"}
BOOT_MS = 4000  # from power-on to ensure()
HOUR_MS = 3600 * 1000
# What this file holds, and the clock, whose NTP it stands in for.
KEPT = {"point.access", "point.clock", "point.compat", "point.errors"}
FEW = 4  # the request id and the count, which wears out no flash; then none
MOST = 12  # requests in any hour after the first ten minutes


class PowerOff(Exception):
    """The board is gone: nobody catches this but the bench."""


class Life(fakes.Board):
    """A board on simulated time. What costs time on a real one costs it here."""

    def __init__(self, folder, answer, most_ms, dies_asking):
        super().__init__(folder)
        self.answer = answer
        self.most_ms = most_ms
        self.dies_asking = dies_asking
        self.ms = 0
        self.off_at = 0
        self.fed_at = 0
        self.hungry_ms = 0  # the longest time without feeding the watchdog
        self.requests = []
        self.attempts = 0
        self.ids = set()

    def boot(self):
        self.ms += BOOT_MS
        self.fed_at = self.ms
        self.off_at = self.ms + self.most_ms

    def spend(self, ms):
        self.ms += ms
        if self.ms >= self.off_at:
            raise PowerOff

    def feed(self):
        self.hungry_ms = max(self.hungry_ms, self.ms - self.fed_at)
        self.fed_at = self.ms

    def online(self, timeout_s):
        self.attempts += 1
        self.spend(1000 * random.randrange(timeout_s))

    def now(self):
        self.spend(10)

    def network_time(self):
        self.spend(5000)

    def set_clock(self, seconds):
        self.spend(10)

    def random(self, count):
        return bytes([random.getrandbits(8) for _ in range(count)])

    def connect(self, host, port, trust, timeout_s):
        self.requests.append(self.ms)
        if self.dies_asking:
            raise PowerOff
        if self.answer == "silent":
            self.spend(timeout_s * 1000)
            raise PointError(TIMEOUT)
        self.spend(300)
        if self.answer == "dead":
            raise PointError(CONNECT)
        return fakes.Stream(ANSWERS[self.answer])


class Counted(Store):
    """Counts the writes to flash."""

    writes = 0

    def _put(self, name, data):
        Counted.writes += 1
        super()._put(name, data)


ANSWERS = {
    "slow down": fakes.http(b'{"code":"42901"}', "429 x"),
    "slow down, 1 s": fakes.http(b'{"code":"42901","retryAfter":1}', "429 x"),
    "slow down, 1 h": fakes.http(b'{"code":"42901","retryAfter":9999}', "429 x"),
    "garbage": bytes(range(256)) * 9,
    "portal": fakes.http(b"<html>Please log in</html>"),
}


def live(board, boots):
    """Boot again and again. The attempts that the last boot began with."""
    attempts = 0
    for _ in range(boots):
        board.boot()
        compat.sleep_ms = board.spend
        compat.unload(compat.loaded() - KEPT)  # a boot loads them anew, with it
        access = PointAccess(
            board,
            trust={"ca": b"ca"},
            claim_key=b"k" * 32,
            store=Counted(board.DIR, b"f" * 32, board.random),
        )
        access.spread_s = 60
        attempts = access.claim.attempts
        try:
            while True:  # as main.py
                access.ensure(URL, DATA)
        except PowerOff:
            pass
        board.ids.add(access.store.pending().get("requestId"))
    return attempts


def worst_hour(requests):
    """The most requests in any hour after the first ten minutes."""
    most = first = 0
    for last in range(len(requests)):
        while requests[first] < 600000 or requests[last] - requests[first] >= HOUR_MS:
            first += 1
            if first > last:
                break
        most = max(most, last + 1 - first)
    return most


def main(wanted):
    random.seed(wanted["seed"])
    from point import clock

    clock.ntp = lambda timeout_s: 0
    report = Report("reboots, " + wanted["name"])
    most = total = writes = hungry = 0
    for number in range(wanted["histories"]):
        for answer in wanted["answers"]:
            folder = fakes.Folder()
            Counted.writes = 0
            board = Life(folder.path, answer, wanted["most_s"] * 1000, wanted["dies"])
            attempts = live(board, wanted["boots"])
            where = (wanted["name"], answer, number)
            report.cases += wanted["boots"]
            worst = worst_hour(board.requests)
            asked = len(board.requests)
            report.check(worst <= MOST, where, worst, "requests in an hour")
            tries = board.attempts
            rare = Counted.writes <= FEW
            report.check(rare, where, Counted.writes, "writes for", tries, "attempts")
            fed = board.hungry_ms <= 60000
            report.check(fed, where, "watchdog not fed for", board.hungry_ms, "ms")
            report.check(attempts >= 10, where, "counted", attempts)
            board.ids.discard(None)
            report.check(len(board.ids) == 1, where, len(board.ids), "request ids")
            most = max(most, worst)
            total += asked
            writes += Counted.writes
            hungry = max(hungry, board.hungry_ms)
            folder.remove()
    report.close(
        "%d requests, at most %d an hour; %d flash writes; fed within %d s"
        % (total, most, writes, (hungry + 999) // 1000)
    )


main(job())
