"""List the serial ports of this machine, and guess the board on each."""

from dataclasses import dataclass

from serial.tools import list_ports

_QUECTEL = 0x2C7C
_ESPRESSIF = 0x303A
# USB bridges on ESP32 boards: Silicon Labs CP210x, WCH CH34x and CH9102, FTDI.
_BRIDGES = (0x10C4, 0x1A86, 0x0403)
# A QuecPython module has several ports, but only one is the REPL. The others are for AT
# commands, NMEA or a debugger, and their descriptions contain one of these words.
_NOT_REPL = ("at port", "modem", "nmea", "diag", "log", "debug")


@dataclass(frozen=True)
class Port:
    """A serial port."""

    device: str  # the PORT that commands take
    description: str
    guess: str  # "esp32", "quecpython" or "unknown"
    serial_number: str | None
    vendor: int | None  # its USB id; None: not a USB port

    @property
    def may_be_board(self) -> bool:
        """Whether it is a USB port, and not a module's port for AT, NMEA or logs."""
        if self.vendor == _QUECTEL:
            return self.guess == "quecpython"
        return self.vendor is not None


def find_ports() -> list[Port]:
    """Return the ports that exist now, sorted by name."""
    return [
        Port(
            each.device,
            each.description or "",
            guess_kind(each.vid, each.description or ""),
            each.serial_number,
            each.vid,
        )
        for each in sorted(list_ports.comports())
    ]


def guess_kind(vendor: int | None, description: str) -> str:
    """Guess the kind of board by the USB vendor id and the description of its port."""
    if vendor == _QUECTEL:
        text = description.lower()
        return "unknown" if any(word in text for word in _NOT_REPL) else "quecpython"
    return "esp32" if vendor in (_ESPRESSIF, *_BRIDGES) else "unknown"
