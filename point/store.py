"""Credentials in flash, in two slots, so that no power cut leaves the board with none.

A slot is one file: a head, the record as JSON, and a CRC-32 over both. A write goes to
the slot that can be spared, is closed and read back before it counts, and the other
slot is left alone. A new record is a candidate; it is confirmed when a connection with
it has worked, and until then the confirmed one is kept to go back to.
"""

from . import strictjson
from .compat import const, crc32, json, os, struct
from .errors import FLASH, READ_BACK, SETTING, PointError

_HEAD = ">4sBBIH"  # magic, version, state, sequence, length of the record
_HEAD_SIZE = const(12)
_MAGIC = b"PtAc"
_VERSION = const(1)
_CANDIDATE = const(1)
_CONFIRMED = const(2)
_MAX_RECORD = const(4096)

_SLOTS = ("credentials.0", "credentials.1")


def _decoded(data):
    """(state, sequence, record) of a slot's bytes, None if the slot is not whole."""
    if len(data) < _HEAD_SIZE + 4:
        return None
    magic, version, state, sequence, length = struct.unpack(_HEAD, data[:_HEAD_SIZE])
    if magic != _MAGIC or version != _VERSION or len(data) != _HEAD_SIZE + length + 4:
        return None
    if struct.unpack(">I", data[-4:])[0] != crc32(data[:-4]):
        return None
    try:
        return state, sequence, strictjson.loads(data[_HEAD_SIZE:-4])
    except ValueError:
        return None


def read_setup(directory, name):
    """The bytes of a file that deployment wrote. Raises PointError(SETTING)."""
    try:
        with open(directory.rstrip("/") + "/" + name, "rb") as file:
            return file.read()
    except OSError:
        raise PointError(SETTING, name + " cannot be read")


class Store:
    """The credentials under `directory`, a dict as JSON can hold it."""

    def __init__(self, directory):
        self._paths = tuple(directory.rstrip("/") + "/" + name for name in _SLOTS)

    def load(self):
        """The newest whole record, or None. Never raises for what the flash holds."""
        slots = self._slots()
        newest = self._newest(slots)
        return None if newest is None else slots[newest][2]

    def save(self, record):
        """Keep `record` as the candidate. Raises PointError(FLASH or READ_BACK)."""
        slots = self._slots()
        self._write(self._spare(slots), slots, _CANDIDATE, record)

    def confirm(self):
        """The newest record has worked: it is the one to go back to from now on."""
        slots = self._slots()
        newest = self._newest(slots)
        if newest is not None and slots[newest][0] == _CANDIDATE:
            self._write(1 - newest, slots, _CONFIRMED, slots[newest][2])

    def revert(self):
        """Go back from a refused candidate to the confirmed record, or None if none."""
        slots = self._slots()
        newest = self._newest(slots)
        if newest is None or slots[newest][0] == _CONFIRMED:
            return None
        kept = slots[1 - newest]
        if kept is None or kept[0] != _CONFIRMED:
            return None
        self._write(newest, slots, _CONFIRMED, kept[2])
        return kept[2]

    def clear(self):
        """Forget everything. Raises PointError(FLASH)."""
        for path in self._paths:
            try:
                os.remove(path)
            except OSError as error:
                if error.args[0] != 2:  # ENOENT: it was not there
                    raise PointError(FLASH, "errno %d" % error.args[0])

    def _slots(self):
        return [_decoded(self._read(path)) for path in self._paths]

    @staticmethod
    def _read(path):
        try:
            # Only whole files of a likely size: read(n) would take n bytes of heap.
            if os.stat(path)[6] > _HEAD_SIZE + _MAX_RECORD + 4:
                return b""
            with open(path, "rb") as file:
                return file.read()
        except OSError:
            return b""

    @staticmethod
    def _newest(slots):
        first, second = slots
        if first is None or second is None:
            return 0 if first else 1 if second else None
        return 0 if first[1] > second[1] else 1

    def _spare(self, slots):
        """The slot that may be overwritten: not the confirmed one, not the newest."""
        for place in (0, 1):
            if slots[place] is None:
                return place
        newest = self._newest(slots)
        if slots[newest][0] == _CANDIDATE and slots[1 - newest][0] == _CONFIRMED:
            return newest
        return 1 - newest

    def _write(self, place, slots, state, record):
        text = json.dumps(record).encode()
        if len(text) > _MAX_RECORD:
            raise PointError(FLASH, "the record is too large")
        sequence = 1 + max(slot[1] if slot else 0 for slot in slots)
        data = struct.pack(_HEAD, _MAGIC, _VERSION, state, sequence, len(text)) + text
        data += struct.pack(">I", crc32(data))
        try:
            # The bytes are complete before the file is opened: an exception in between
            # would close the file and so commit half of them.
            with open(self._paths[place], "wb") as file:
                file.write(data)
        except OSError as error:
            raise PointError(FLASH, "errno %d" % error.args[0])
        if self._read(self._paths[place]) != data:
            raise PointError(READ_BACK, "the flash does not hold what was written")
