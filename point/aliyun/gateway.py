"""A board as gateway: permits to join, and the sub-devices that it stands for.

The cloud permits, and each sub-device is added under its own signature, a few in each
message: point.aliyun.topology has their form.
"""

from ..compat import const
from ..credentials import number, word
from ..errors import REFUSED, PointError
from .alink_json import OK
from .countdown import Countdown
from .topology import check_pair, make_member, read_pair, read_pairs, read_secret

ALWAYS = const(0)  # a permit's time; between these two it is seconds
CLOSED = const(65535)
FORBIDDEN = const(403)

_ADD = "thing.topo.add"
_AT_ONCE = const(5)  # of about 300 bytes each
_EVERY_MS = const(10000)
_TIMES = const(3)


class Gateway:
    """Runs in the steps of `alink`. `on_permit(time)` is called for each permit."""

    def __init__(self, alink, on_permit=None):
        self._alink = alink
        self._on_permit = on_permit
        self._permits = []
        self._always = False
        self._product = None  # the only one that may join
        self._open = Countdown()
        self._jobs = []
        self._busy = False
        alink.serve("thing/gateway/permit", self._receive_permit)
        alink.steps.append(self._step)

    def open_s(self):
        """The permit's time as it is now: ALWAYS, CLOSED, or the seconds left."""
        return ALWAYS if self._always else self._open.left_s() or CLOSED

    def add(self, sub_devices, then=None):
        """Add `sub_devices`, each {"productKey", "deviceName", "deviceSecret"}.

        `then(code, names)` is called for some (productKey, deviceName) at a time: the
        cloud's code, None if it says nothing, FORBIDDEN if the permit has ended. Raises
        PointError(FIELD) for one that cannot be, PointError(REFUSED) without a permit.
        """
        found = [read_pair(each) + (read_secret(each),) for each in sub_devices]
        if not self._permits_all(found):
            raise PointError(REFUSED, "no permit for this product now")
        self._queue(_ADD, found, then)

    def remove(self, pairs, then=None):
        """Remove sub-devices by (productKey, deviceName); `then` as add()."""
        self._queue("thing.topo.delete", [check_pair(*each) for each in pairs], then)

    def topology(self, then):
        """Ask who is there: then(a list of names), or then(None) if no one says."""

        def taken(code, data):
            self._alink.call(then, read_pairs(data) if code == OK else None)

        self._alink.ask("thing.topo.get", {}, taken, _EVERY_MS, _TIMES)

    def _queue(self, method, found, then):
        if found:
            self._jobs.append((method, found, then))

    def _permits_all(self, found):
        if self.open_s() == CLOSED:
            return False
        return all(self._product in (None, each[0]) for each in found)

    def _receive_permit(self, params):
        time = number("time", params.get("time"), ALWAYS, CLOSED)
        product = params.get("productKey")
        self._product = None if product is None else word("productKey", product)
        self._always = time == ALWAYS
        self._open.start(0 if time == CLOSED else time * 1000)
        self._permits.append(time)
        return {}

    def _step(self, connected):
        self._open.left_ms()
        while self._permits:
            self._alink.call(self._on_permit, self._permits.pop(0))
        if self._jobs and not self._busy:
            self._next(*self._jobs[0])

    def _next(self, method, found, then):
        some = found[:_AT_ONCE]
        pairs = [each[:2] for each in some]

        def done(code, data):
            self._busy = False
            self._alink.call(then, code, pairs)

        if method != _ADD or self._permits_all(some):
            params = [make_member(*each) for each in some]
            self._alink.ask(method, params, done, _EVERY_MS, _TIMES)
            self._busy = True
        else:
            done(FORBIDDEN, None)
        del found[:_AT_ONCE]
        if not found:
            self._jobs.pop(0)
