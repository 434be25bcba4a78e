"""Boards against a real server: for each line on stdin a call of ensure().

A line: {"imei", "productKey", "key" (hex or null), "ca" (a file), "port", "timeout",
"fresh" (with an empty flash), "attempts"}, and for wrong clocks "pin" (hex, instead of
a CA), "network" (the time that the network tells) and "clock_file" (what sets the
clock). The answer: LIFE and what came of it.
"""

import gc
import json
import os
import sys
import time

from point import PointAccess, clock, compat, stream
from point.compat import binascii, ticks_diff, ticks_ms
from point.store import Store


class Board:
    """No modem: the host's sockets, and the host's clock or one that it makes up."""

    DIR = "."
    VERIFIES = True

    def __init__(self, job):
        self._job = job

    def connect(self, host, port, trust, timeout_s):
        return stream.connect(host, port, trust, timeout_s)

    def online(self, timeout_s):
        pass

    def now(self):
        return int(time.time()) if "network" in self._job else None

    def network_time(self):
        return self._job.get("network")

    def set_clock(self, seconds):
        if self._job.get("clock_file"):
            with open(self._job["clock_file"], "w") as file:
                file.write("%d-%02d-%02d %02d:%02d:%02d" % time.gmtime(seconds)[:6])

    def feed(self):
        pass

    def random(self, count):
        return os.urandom(count)


def no_ntp(timeout_s):
    raise OSError(113)


def live(job):
    """What became of one ensure()."""
    store = Store(".")
    if job["fresh"]:
        store.clear()
    if job.get("pin"):
        trust = {"pins": [binascii.unhexlify(job["pin"])]}
    else:
        with open(job["ca"], "rb") as file:
            trust = {"ca": file.read()}
    access = PointAccess(
        board=Board(job),
        trust=trust,
        claim_key=job["key"] and binascii.unhexlify(job["key"]),
        timeout_s=job["timeout"],
        store=store,
    )
    data = {"imei": job["imei"], "productKey": job["productKey"]}
    url = "https://localhost:%d/v1/access" % job["port"]
    begun = ticks_ms()
    code = escaped = None
    try:
        code = access.ensure(url, data, job.get("attempts", 1))
    except Exception as error:
        escaped = repr(error)
    took_ms = ticks_diff(ticks_ms(), begun)
    kept = store.load()
    device = access.device_config["device"]
    return {
        "code": code,
        "escaped": escaped,
        "error": access.error and access.error.name,
        "source": access.source,
        "ms": took_ms,
        "secret": device["deviceSecret"],
        "kept": kept and kept["device"]["deviceSecret"],
        "requestId": store.pending().get("requestId"),
    }


def main():
    clock.ntp = no_ntp
    compat.sleep_ms = lambda ms: None  # run, which imports it, comes and goes
    line = sys.stdin.readline()
    while line:
        print("LIFE " + json.dumps(live(json.loads(line))))
        gc.collect()
        line = sys.stdin.readline()


main()
