"""Cut the power in every write of a board's life, and once more while it recovers."""

import random

import flash
from flash import ERASED, MOUNT
from point import slot
from point.claim import Claim
from point.errors import PointError
from point.store import Store
from report import Report, job

# A life: the first claim, its credentials, a renewal that is refused, and one that
# works. Of "count" some are written, as the lot falls.
LIFE = (
    "request_id",
    "count",
    "save",
    "save",
    "confirm",
    "settle",
    "count",
    "request_id",
    "save",
    "save",
    "revert",
    "renew",
    "request_id",
    "count",
    "save",
    "confirm",
    "settle",
)


class Bench:
    """One file system, one store key or none, and what has been found with them."""

    def __init__(self, kind, key, seed):
        self.kind = kind
        self.key = key
        self.random = random
        self.random.seed(seed)
        self.report = Report(
            "power cuts, %s%s" % (kind.name, ", sealed" if key else "")
        )
        self.erased = [0, 0, 0]  # states, without a record, without a next save
        self.number = 0

    def bytes(self, count):
        return bytes([self.random.getrandbits(7) for _ in range(count)])

    def store(self):
        return Store(MOUNT, self.key, self.bytes)

    def record(self, size):
        self.number += 1
        return {"number": self.number, "text": "x" * (size - 30)}


def do(bench, step, size):
    """One step of a life, as the component does it. A record, if it is about one."""
    store = bench.store()
    if step == "save":
        record = bench.record(size)
        store.save(record)
    elif step == "confirm" or step == "revert":
        getattr(store, step)()
    else:
        claim = Claim(store, bench.bytes)
        spent = (claim.request_id(),) if step == "renew" else ()
        getattr(claim, step)(*spent)


def look(bench):
    """What flash holds: (record, request id)."""
    store = bench.store()
    return store.load(), store.pending().get("requestId")


def confirmed(bench):
    """The record that is known to work, if there is one."""
    found = None
    for name in ("/credentials.0", "/credentials.1"):
        try:
            with open(MOUNT + name, "rb") as file:
                whole = slot.decode(file.read(), bench.key)
        except OSError:
            continue
        if whole and whole[0] == slot.CONFIRMED and (not found or whole[1] > found[1]):
            found = whole
    return found and found[2]


def live(bench, image, step, size, depth):
    """Do `step`, cut in each of its writes; return the image after it."""
    device = bench.kind.flash(image)
    bench.kind.mount(device)
    before = look(bench)
    keeps = confirmed(bench) if step == "save" else None
    do(bench, step, size)
    after = look(bench)
    flash.unmount()
    for number, tear, cut in flash.cuts(device, image, bench.kind.tears):
        where = (bench.kind.name, step, size, "write", number, tear)
        recover(bench, cut, (before, after), keeps, tear == ERASED, where, depth)
    return bytes(device.image)


def recover(bench, image, allowed, keeps, erased, where, depth):
    """Boot from `image`: the record is an allowed one, and the next save works."""
    report = bench.report
    report.cases += 1
    bench.erased[0] += erased
    device = bench.kind.flash(image)
    try:
        bench.kind.mount(device)
    except OSError as error:
        report.check(False, "no mount", error, where)
        return
    records = [one[0] for one in allowed] + [keeps] * bool(keeps)
    ids = [one[1] for one in allowed]
    found = look(bench)
    worked = confirmed(bench)
    if erased and found[0] is None:
        bench.erased[1] += 1
    else:
        report.check(found[0] in records, "lost, or wrong", found[0], where)
    if not (erased and found[1] is None):
        report.check(found[1] in ids, "request id", found[1], where)
    now = found
    wanted = bench.record(100)
    try:
        bench.store().save(wanted)
        now = look(bench)
        report.check(now[0] == wanted, "not the new one", now[0], where)
        if keeps and not erased:
            back = bench.store().revert()
            report.check(back in (keeps, None), "not what had worked", back, where)
            now = look(bench)
            report.check(now[0] in records, "nothing to go back to", where)
    except PointError as error:
        bench.erased[2] += erased
        report.check(erased, "no save", error, where)
    flash.unmount()
    if depth and not erased:
        again = (found, now)
        if worked:  # the save may have to take the place of a candidate
            again += ((worked, found[1]),)
        if keeps:
            again += ((wanted, found[1]), (keeps, found[1]))
        for number, tear, cut in flash.cuts(device, image, (flash.TORN,)):
            recover(bench, cut, again, None, False, where + (number, tear), 0)


def main(wanted):
    kind = flash.Kind(wanted["kind"])
    bench = Bench(kind, b"k" * 32 if wanted["sealed"] else None, wanted["seed"])
    image = kind.formatted()
    for size in wanted["sizes"]:
        for step in LIFE:
            image = live(bench, image, step, size, size < wanted["deep"])
    note = ""
    if bench.erased[0]:
        note = "sector erased %d: no record %d, no save %d" % tuple(bench.erased)
    bench.report.close(note)


main(job())
