"""docs/boards/esp32.md says what the adapter does: its keys, its sample, its words."""

import json
import re
from pathlib import Path

import pytest

from tests.boards.modem import SHIMS
from tests.runtimes import ROOT, run_micropython

PAGE = (ROOT / "docs/boards/esp32.md").read_text(encoding="utf-8")
FIRMWARE = ROOT / "firmware/esp32"
SAMPLE = FIRMWARE / "board.sample.json"
EXAMPLE = ROOT / "examples/esp32_sensor/board.json"


def run(source: str, folder: Path) -> str:
    """What MicroPython prints with the adapter and its shims at hand."""
    return run_micropython(source, folder, SHIMS, FIRMWARE)


def test_every_key_has_its_row(tmp_path: Path) -> None:
    """The table of board.json names all that is taken, and nothing else."""
    source = "import options, json; print(json.dumps([list(options._MODEM), "
    source += "[k for k in options._RULES if k not in ('modem', 'wifi')]]))"
    modem, rest = json.loads(run(source, tmp_path))
    rows = re.findall(r"^\| (`.*?`) \| .* \| .* \|$", PAGE, re.M)
    keys = {key for row in rows for key in re.findall(r"`([\w.]+)`", row)}
    named = {f"modem.{key}" for key in modem} | {"wifi.ssid", "wifi.password", *rest}
    assert {k for k in keys if k in named or k.startswith(("modem.", "wifi."))} == named


@pytest.mark.parametrize("file", [SAMPLE, EXAMPLE], ids=["sample", "example"])
def test_samples(tmp_path: Path, file: Path) -> None:
    """Each is a board.json that the adapter takes; the page shows the first."""
    (tmp_path / "board.json").write_bytes(file.read_bytes())
    run("import options; options.read('.')", tmp_path)
    assert (file.read_text() in PAGE) is (file is SAMPLE)


def test_words_are_the_adapters() -> None:
    """What troubleshooting quotes is what the sources can say."""
    sources = "".join(path.read_text() for path in FIRMWARE.glob("*.py"))
    sources += (ROOT / "point/imei.py").read_text()
    for words in (
        "board.json: ",
        "neither claim.key nor NVS",
        ": no answer",
        "an IMEI has 15 digits",
        "the SIM wants its ",
        "registration: ",
        "denied",
        "PPP does not come up",
        "Wi-Fi: status ",
    ):
        assert words in sources, words
        assert words.strip(": ") in PAGE, words


def test_attempts() -> None:
    """The table of what is done before which attempt is the code's."""
    source = (FIRMWARE / "cellular.py").read_text()
    steps = dict(re.findall(r"^_(RADIO|POWER|RESTART) = const\((\d+)\)", source, re.M))
    for step, words in (
        ("RADIO", "radio off and on"),
        ("POWER", "the power key"),
        ("RESTART", "restart the ESP32"),
    ):
        assert f"| {int(steps[step]) + 1} | {words}" in PAGE
