"""A claim under way, kept in flash: its request id, and how often it was tried.

A reset that the cloud must hear of is kept beside it."""

from .compat import const
from .errors import PointError
from .seal import hexed

# Half of the attempts, at random, are written to flash, ahead of the true number, and
# none after the waits have become longest: after a few writes even a board that dies
# with each request asks rarely, and its flash is not worn any more.
_LOT = const(128)  # of 256
_AHEAD = const(3)
_ENOUGH = const(12)


class Claim:
    """`store` is a point.store.Store, `random(count)` gives random bytes."""

    def __init__(self, store, random):
        self._store = store
        self._random = random
        self.attempts = store.pending().get("attempts", 0)

    def count(self):
        """Count an attempt. Returns the flash's failure: it must not stop the board."""
        self.attempts += 1
        pending = self._store.pending()
        counted = pending.get("attempts", 0)  # one write serves until it is caught up
        if counted < min(self.attempts, _ENOUGH) and self._random(1)[0] < _LOT:
            pending["attempts"] = self.attempts + _AHEAD
            try:
                self._store.remember(pending)
            except PointError as error:
                return error

    def request_id(self):
        """The claim's id, 32 hex digits, in flash before it is used for the first time.

        It stays until the claim is settled, whatever is lost on the way. Raises
        PointError(FLASH or READ_BACK).
        """
        pending = self._store.pending()
        found = pending.get("requestId")
        if not found:
            found = pending["requestId"] = hexed(self._random(16))
            self._store.remember(pending)
        return found

    def renew(self, spent):
        """Draw another request id next time, if the one under way is `spent`."""
        pending = self._store.pending()
        if spent and pending.pop("requestId", None) == spent:
            self._store.remember(pending)

    def settle(self):
        """The credentials have worked. Raises PointError(FLASH or READ_BACK)."""
        self.attempts = 0
        pending = self._store.pending()
        kept = {"reset": 1} if "reset" in pending else {}
        if pending != kept:
            self._store.remember(kept)

    @property
    def reset(self):
        """True while the cloud does not know yet that the board was reset."""
        return "reset" in self._store.pending()

    def keep_reset(self, wanted):
        """Keep that a reset is wanted, or no longer. Raises as settle()."""
        pending = self._store.pending()
        if wanted:
            pending["reset"] = 1
        else:
            pending.pop("reset", None)
        self._store.remember(pending)
