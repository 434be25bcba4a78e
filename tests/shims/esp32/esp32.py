"""ESP32's `esp32`: NVS, kept in a file of the folder that the board was started in."""

import json
import os

from point.compat import binascii

_FILE = os.getcwd() + "/.nvs.json"
_NOT_FOUND = (-4354, "ESP_ERR_NVS_NOT_FOUND")
_INVALID_NAME = (-4358, "ESP_ERR_NVS_INVALID_NAME")
_KEY_TOO_LONG = (-4361, "ESP_ERR_NVS_KEY_TOO_LONG")
_INVALID_LENGTH = (-4364, "ESP_ERR_NVS_INVALID_LENGTH")


def _partition():
    try:
        with open(_FILE) as file:
            return json.load(file)
    except OSError:
        return {}


class NVS:
    """A namespace. What is set is lost without commit()."""

    def __init__(self, namespace):
        if not 0 < len(namespace) < 16:
            raise OSError(*_INVALID_NAME)
        self._name = namespace
        self._values = _partition().get(namespace, {})

    def set_blob(self, key, value):
        self._values[self._key(key)] = binascii.hexlify(bytes(value)).decode()

    def get_blob(self, key, buffer):
        held = self._values.get(self._key(key))
        if held is None:
            raise OSError(*_NOT_FOUND)
        held = binascii.unhexlify(held)
        if len(held) > len(buffer):
            raise OSError(*_INVALID_LENGTH)
        buffer[: len(held)] = held
        return len(held)

    def erase_key(self, key):
        if self._values.pop(self._key(key), None) is None:
            raise OSError(*_NOT_FOUND)

    def commit(self):
        values = _partition()
        values[self._name] = self._values
        with open(_FILE, "w") as file:
            json.dump(values, file)

    @staticmethod
    def _key(key):
        if not 0 < len(key) < 16:
            raise OSError(*_KEY_TOO_LONG)
        return key
