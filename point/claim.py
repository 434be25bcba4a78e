"""A claim under way, kept in flash: its request id, and how often it was tried."""

from .compat import const
from .errors import PointError
from .seal import hexed

# Of so many attempts one, drawn by lot, is written to flash and stands for them all:
# the count survives reboots, and a board that reboots for ever spares its flash.
_PER_WRITE = const(12)


class Claim:
    """`store` is a point.store.Store, `random(count)` gives random bytes."""

    def __init__(self, store, random):
        self._store = store
        self._random = random
        self.attempts = store.pending().get("attempts", 0)

    def count(self):
        """One more attempt. A flash that fails must not stop the board: it is told."""
        self.attempts += 1
        if self._random(1)[0] < 256 // _PER_WRITE:
            pending = self._store.pending()
            pending["attempts"] = pending.get("attempts", 0) + _PER_WRITE
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

    def renew(self):
        """The request id is spent: draw another next time."""
        self._store.remember({"attempts": self._store.pending().get("attempts", 0)})

    def settle(self):
        """The credentials have worked. Raises PointError(FLASH or READ_BACK)."""
        self.attempts = 0
        if self._store.pending():
            self._store.remember({})
