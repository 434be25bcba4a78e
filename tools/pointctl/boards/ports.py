"""The serial ports of this machine, and what is probably behind them."""

from dataclasses import dataclass

from serial.tools import list_ports

_QUECTEL = 0x2C7C
_ESPRESSIF = 0x303A
# Bridges that ESP32 boards carry: Silicon Labs CP210x, WCH CH34x and CH9102, FTDI.
_BRIDGES = (0x10C4, 0x1A86, 0x0403)
# Of the ports of one QuecPython module only one is the REPL; the others speak AT, NMEA
# or a debugger's language.
_OTHERS = ("at port", "modem", "nmea", "diag", "log", "debug")


@dataclass(frozen=True)
class Port:
    """A serial port."""

    device: str  # what to give to --port
    description: str
    guess: str  # "esp32", "quecpython" or "unknown"
    serial_number: str | None
    vendor: int | None  # at USB; None: no USB port

    @property
    def may_be_board(self) -> bool:
        """At USB, and not what surely is another port of a QuecPython module."""
        if self.vendor == _QUECTEL:
            return self.guess == "quecpython"
        return self.vendor is not None


def listed() -> list[Port]:
    """The ports that are there now, in order of their names."""
    return [
        Port(
            each.device,
            each.description or "",
            guess(each.vid, each.description or ""),
            each.serial_number,
            each.vid,
        )
        for each in sorted(list_ports.comports())
    ]


def guess(vendor: int | None, description: str) -> str:
    """What is behind a port with this USB vendor id and this description."""
    if vendor == _QUECTEL:
        told = description.lower()
        return "unknown" if any(word in told for word in _OTHERS) else "quecpython"
    return "esp32" if vendor in (_ESPRESSIF, *_BRIDGES) else "unknown"
