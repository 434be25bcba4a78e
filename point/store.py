"""Credentials in flash, in two slots, so that no power cut leaves the board with none.

A write goes to the slot that can be spared, is closed and read back before it counts,
and the other slot is left alone. A new record is a candidate; it is confirmed when a
connection with it has worked, and until then the confirmed one is kept to go back to.
"""

from . import slot
from .compat import os
from .errors import FLASH, READ_BACK, SETTING, PointError

_KEPT = ("credentials.0", "credentials.1")
_PENDING = ("pending.0", "pending.1")


def read_setup(directory, name):
    """The bytes of a file that deployment wrote. Raises PointError(SETTING)."""
    try:
        with open(directory.rstrip("/") + "/" + name, "rb") as file:
            return file.read()
    except OSError:
        raise PointError(SETTING, name + " cannot be read")


class Store:
    """The credentials under `directory`, a dict as JSON can hold it.

    With `key`, 32 bytes that belong to this board alone, they are encrypted, and do not
    open on another. `random(count)` gives the bytes that encryption needs.
    """

    def __init__(self, directory, key=None, random=None):
        self._directory = directory.rstrip("/") + "/"
        self._key = key
        self._random = random
        self.confirmed = False  # what load() gave had worked

    def load(self):
        """The newest whole record, or None. Never raises for what the flash holds."""
        slots = self._slots(_KEPT)
        newest = _newest(slots)
        self.confirmed = newest is not None and slots[newest][0] == slot.CONFIRMED
        return None if newest is None else slots[newest][2]

    def save(self, record):
        """Keep `record` as the candidate. Raises PointError(FLASH or READ_BACK)."""
        slots = self._slots(_KEPT)
        self._write(_KEPT[_spare(slots)], slots, slot.CANDIDATE, record)

    def confirm(self):
        """The newest record has worked: it is the one to go back to from now on."""
        slots = self._slots(_KEPT)
        newest = _newest(slots)
        if newest is not None and slots[newest][0] == slot.CANDIDATE:
            self._write(_KEPT[1 - newest], slots, slot.CONFIRMED, slots[newest][2])

    def revert(self):
        """Go back from a refused candidate to the confirmed record, or None if none."""
        slots = self._slots(_KEPT)
        newest = _newest(slots)
        if newest is None or slots[newest][0] == slot.CONFIRMED:
            return None
        kept = slots[1 - newest]
        if kept is None or kept[0] != slot.CONFIRMED:
            return None
        self._write(_KEPT[newest], slots, slot.CONFIRMED, kept[2])
        return kept[2]

    def clear(self):
        """Forget everything. Raises PointError(FLASH)."""
        for name in _KEPT + _PENDING:
            try:
                os.remove(self._directory + name)
            except OSError as error:
                if error.args[0] != 2:  # ENOENT: it was not there
                    raise _failed(error)

    def pending(self):
        """What is remembered of a claim under way: {"requestId": …, "attempts": …}."""
        slots = self._slots(_PENDING)
        newest = _newest(slots)
        return {} if newest is None else slots[newest][2]

    def remember(self, pending):
        """Keep `pending`. Raises PointError(FLASH or READ_BACK).

        In two slots too: a request id that a server has seen must survive the power cut
        that comes while an attempt is counted, and FAT empties what is overwritten."""
        slots = self._slots(_PENDING)
        self._write(_PENDING[_spare(slots)], slots, 0, pending)

    def _slots(self, names):
        return [slot.decode(self._read(name), self._key) for name in names]

    def _read(self, name):
        path = self._directory + name
        try:
            # Only whole files of a likely size: read(n) would take n bytes of heap.
            if os.stat(path)[6] > slot.MAX_SLOT:
                return b""
            with open(path, "rb") as file:
                return file.read()
        except OSError:
            return b""

    def _write(self, name, slots, state, record):
        sequence = 1 + max(found[1] if found else 0 for found in slots)
        iv = self._random(16) if self._key else None
        self._put(name, slot.encode(state, sequence, record, self._key, iv))

    def _put(self, name, data):
        if data is None:
            raise PointError(FLASH, "the record is too large")
        try:
            # The bytes are complete before the file is opened: an exception in between
            # would close the file and so commit half of them.
            with open(self._directory + name, "wb") as file:
                file.write(data)
        except OSError as error:
            raise _failed(error)
        if self._read(name) != data:
            raise PointError(READ_BACK, "the flash does not hold what was written")


def _failed(error):
    return PointError(FLASH, "errno %s" % error.args[0])


def _newest(slots):
    first, second = slots
    if first is None or second is None:
        return 0 if first else 1 if second else None
    return 0 if first[1] > second[1] else 1


def _spare(slots):
    """The slot that may be overwritten: not the confirmed one, not the newest."""
    for place in (0, 1):
        if slots[place] is None:
            return place
    newest = _newest(slots)
    # A candidate over a confirmed record: the older candidate goes.
    if slots[newest][0] == slot.CANDIDATE and slots[1 - newest][0] == slot.CONFIRMED:
        return newest
    return 1 - newest
