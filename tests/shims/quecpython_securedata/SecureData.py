"""QuecPython's `SecureData`: 16 slots that outlive the burning of firmware."""

import vm

_PATH = vm.SCRIPT["secureData"]


def _slots():
    try:
        with open(_PATH, "rb") as file:
            return bytearray(file.read())
    except OSError:
        return bytearray(b"\xff" * 52 * 8)


def _checked(index):
    if not 1 <= index <= 16:
        raise ValueError("Index must be greater than 0 and less than 17")
    return (index - 1) * 52


def Store(index, databuf, datalen):
    place = _checked(index)
    if datalen > 52 or index > 8 or vm.SCRIPT["secureDataFails"]:
        return -1
    slots = _slots()
    slots[place : place + datalen] = databuf[:datalen]
    with open(_PATH, "wb") as file:
        file.write(slots)
    return 0


def Read(index, databuf, datalen):
    """How much was read; a buffer that is shorter than the slot is overrun."""
    place = _checked(index)
    if datalen < 52:
        raise MemoryError("the heap would be overwritten here")
    databuf[:52] = _slots()[place : place + 52]
    return 52
