"""A board's side of the hostile scenarios, the same on MicroPython and on CPython.

Its argument is a file: {"root", "ca", "pins", "requests"}, the last a list of {"name",
"url", "timeout"}. It prints a line for each, RESULT and what became of it as JSON.
"""

import json
import sys

with open(sys.argv[1]) as file:
    JOB = json.load(file)
sys.path.insert(0, JOB["root"])

from point import PointAccess
from point.compat import ticks_diff, ticks_ms
from point.seal import unhexed

DATA = {"imei": "490154203237518", "s3cret": "s3cret"}
HEADERS = {"X-Key": "s3cret", "Content-Type": "text/plain"}


def certificate(path):
    with open(path, "rb") as file:
        return file.read()


def attempt(access, given):
    """What became of one request, and what it changed that it should not."""
    before = access.device_config
    text = json.dumps(before)
    data = dict(DATA)
    headers = dict(HEADERS)
    access.timeout_s = given["timeout"]
    begun = ticks_ms()
    try:
        code = access.request(given["url"], data, headers=headers)
        escaped = None
    except Exception as error:
        code = None
        escaped = repr(error)
    took_ms = ticks_diff(ticks_ms(), begun)
    same = access.device_config is before and json.dumps(before) == text
    return {
        "name": given["name"],
        "code": code,
        "escaped": escaped,
        "error": access.error and access.error.name,
        "text": str(access.error),
        "ms": took_ms,
        "untouched": same,
        "callers_untouched": data == DATA and headers == HEADERS,
        "config": access.device_config,
    }


trust = {}
if JOB["pins"]:
    trust["pins"] = [unhexed(pin) for pin in JOB["pins"]]
if JOB["ca"] is not None:
    trust["ca"] = certificate(JOB["ca"])
access = PointAccess(trust=trust)  # type: ignore[arg-type]  # no types on boards
for given in JOB["requests"]:
    print("RESULT " + json.dumps(attempt(access, given)))
