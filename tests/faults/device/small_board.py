"""One ensure() in as little memory as there is.

Arguments: IMEI, product key, claim key, CA, port, and "now" not to wait for anything.
"""

import os
import sys

from point import PointAccess, stream
from point.compat import binascii


class Board:
    DIR = "."
    VERIFIES = True

    def online(self, timeout_s):
        pass

    def connect(self, host, port, trust, timeout_s):
        return stream.connect(host, port, trust, timeout_s)

    def now(self):
        return 2000000000  # later than any floor, so that nobody asks for the time

    def feed(self):
        pass

    def random(self, count):
        return os.urandom(count)


with open(sys.argv[4], "rb") as file:
    trust = {"ca": file.read()}
access = PointAccess(Board(), None, trust, binascii.unhexlify(sys.argv[3]), 5)
data = {"imei": sys.argv[1], "productKey": sys.argv[2]}
url = "https://localhost:%s/v1/access" % sys.argv[5]
if sys.argv[6] == "now":
    from point import compat

    compat.sleep_ms = lambda ms: None
print("STARTED")
code = access.ensure(url, data, 1)
print("ENDED", code, access.error and access.error.name, access.source)
