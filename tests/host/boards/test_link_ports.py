"""The list of serial ports, and the guess at the board on each."""

from typing import Any

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from pointctl.boards import ports
from pointctl.boards.ports import Port
from pointctl.factory.station.serial_ports import port_finder


def info(device: str, vendor: int | None, description: str | None) -> ListPortInfo:
    """A port as pyserial describes it."""
    found: Any = ListPortInfo(device)  # whose types know no port without
    found.vid = vendor
    found.description = description
    found.serial_number = "0001" if vendor else None
    return found


def test_find_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """All ports are listed, sorted by name and number."""
    found = [
        info("/dev/ttyUSB10", 0x2C7C, "EC600U - REPL"),
        info("/dev/ttyUSB2", 0x10C4, "CP2102 USB to UART Bridge Controller"),
        info("/dev/ttyS0", None, None),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: found)
    assert ports.find_ports() == [
        Port("/dev/ttyS0", "", "unknown", None, None),
        Port("/dev/ttyUSB2", found[1].description, "esp32", "0001", 0x10C4),
        Port("/dev/ttyUSB10", "EC600U - REPL", "quecpython", "0001", 0x2C7C),
    ]


def test_where_a_station_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A station looks at USB ports of any vendor, but not at modem ports."""
    found = [
        info("/dev/ttyUSB0", 0x2C7C, "Quectel USB AT Port"),
        info("/dev/ttyUSB1", 0x2C7C, "Quectel USB Device"),
        info("/dev/ttyUSB2", 0x2341, "Arduino Uno"),
        info("/dev/ttyUSB3", 0x1A86, "USB2.0-Serial"),
        info("/dev/ttyS0", None, None),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: found)
    assert port_finder(())() == {
        "/dev/ttyUSB1": "quecpython",
        "/dev/ttyUSB2": None,
        "/dev/ttyUSB3": "esp32",
    }


@pytest.mark.parametrize(
    ("vendor", "description", "expected"),
    [
        (0x303A, "USB JTAG/serial debug unit", "esp32"),
        (0x1A86, "USB2.0-Serial", "esp32"),
        (0x0403, "FT232R USB UART", "esp32"),
        (0x2C7C, "Quectel USB Device", "quecpython"),
        (0x2C7C, "Quectel USB AT Port", "unknown"),
        (0x2C7C, "Quectel USB NMEA Port", "unknown"),
        (0x2C7C, "Quectel USB DIAG Port", "unknown"),
        (0x2341, "Arduino Uno", "unknown"),
        (None, "", "unknown"),
    ],
)
def test_guess(vendor: int | None, description: str, expected: str) -> None:
    """The vendor id decides; a module's modem ports are excluded."""
    assert ports.guess_kind(vendor, description) == expected


def test_here() -> None:
    """The ports of this machine are listed without an error."""
    assert all(port.device for port in ports.find_ports())
