"""Nothing that has rotted in flash is read as credentials."""

import os
import random

import fakes

from point import slot
from point.store import Store
from report import Report, job

KEY = b"k" * 32
PENDING = {"requestId": "0123456789abcdef0123456789abcdef", "attempts": 8}


def flipped(data, place, bit):
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


def mutated(data):
    """2 to 12 bytes changed, now and then also bytes lost, added or moved."""
    changed = bytearray(data)
    for _ in range(random.randint(2, 12)):
        changed[random.randrange(len(changed))] = random.getrandbits(8)
    choice = random.randrange(8)
    place = random.randrange(len(changed))
    if choice == 0:
        changed = changed[:place]
    elif choice == 1:
        changed = changed[:place] + bytes(random.randint(1, 9)) + changed[place:]
    elif choice == 2:
        changed = changed[place:] + changed[:place]
    return bytes(changed)


def damaged(data, mutations):
    """(what was done, the bytes then)."""
    for length in range(len(data)):
        yield "cut to %d" % length, data[:length]
        yield "zeros from %d" % length, data[:length] + bytes(len(data) - length)
        yield "erased from %d" % length, data[:length] + b"\xff" * (len(data) - length)
    for place in range(len(data)):
        for bit in range(8):
            yield "bit %d of byte %d" % (bit, place), flipped(data, place, bit)
    for number in range(mutations):
        yield "mutation %d" % number, mutated(data)


def decode(report, data, record, key, mutations):
    """The slot's bytes alone: the very record, or nothing."""
    for what, changed in damaged(data, mutations):
        report.cases += 1
        try:
            found = slot.decode(changed, key)
        except Exception as error:
            report.check(False, what, "raised", repr(error))
            continue
        right = found is None or (changed == data and found[2] == record)
        report.check(right, what, "was read as", found)


def stored(report, key):
    """Whole files under a Store: it loads the other slot, or nothing."""
    folder = fakes.Folder()
    store = Store(folder.path, key, os.urandom)
    old, new = fakes.config(), fakes.config()
    new["device"]["deviceSecret"] = "new"
    store.save(old)
    store.confirm()
    store.save(new)
    names = folder.names()
    whole = [folder.read(name) for name in names]
    spoilt = (b"", b"\xff" * 4096, bytes(300), b"{}", b"PtAc", whole[0] * 20)
    other = slot.encode(slot.CONFIRMED, 9, {}, None if key else KEY, bytes(16))
    for data in spoilt + (other,) + tuple(d for _, d in damaged(whole[0], 50)):
        for first, second, allowed in (
            (data, whole[1], (old, new)),
            (whole[0], data, (old, new)),
            (data, data, (None, old)),
        ):
            report.cases += 1
            folder.write(names[0], first)
            folder.write(names[1], second)
            try:
                found = store.load()
                report.check(found in allowed, "loaded", found)
            except Exception as error:
                report.check(False, "load raised", repr(error), data)
    for first, second in (whole, whole[::-1]):  # the slots changed places
        report.cases += 1
        folder.write(names[0], first)
        folder.write(names[1], second)
        report.check(store.load() == new, "swapped slots")
    folder.remove()


def main(wanted):
    key = KEY if wanted["sealed"] else None
    random.seed(wanted["seed"])
    report = Report("damaged records" + (", sealed" if key else ""))
    for record in (fakes.config(), PENDING):
        data = slot.encode(slot.CONFIRMED, 7, record, key, bytes(range(16)))
        decode(report, data, record, key, wanted["mutations"])
    if wanted["mutations"] > 1000:
        stored(report, key)
    report.close()


main(job())
