"""docs/hardware-checklist.md: its probes run, here over the stand-ins of the boards."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S
from tests.runtimes import MPY_CROSS_1_13, ROOT, micropython, require

SHIMS = ROOT / "tests/shims"
PAGE = (ROOT / "docs/hardware-checklist.md").read_text(encoding="utf-8")
QUECPYTHON, ESP32 = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def printed(source: str, shims: list[str], first: str, flash: Path) -> dict[str, str]:
    """What a probe says, by row; `first` is imported before everything else."""
    probe = flash / "probe.py"
    probe.write_text(source.replace("/usr", str(flash)).replace("443", "1"))
    paths = ":".join([*(str(SHIMS / name) for name in shims), str(ROOT)])
    done = subprocess.run(
        [micropython(), "-c", f"{first}import probe"],
        cwd=flash,
        env=os.environ
        | {"MICROPYPATH": f":{paths}", "POINTACCESS_IMEI": "490154203237518"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(\w+) = (.*)$", done.stdout, re.M)
    assert len(rows) == len(done.stdout.splitlines())
    return dict(rows)


@pytest.mark.parametrize(("age", "takes_ca"), [("old", "False"), ("new", "True")])
def test_quecpython(age: str, takes_ca: str, tmp_path: Path) -> None:
    """On firmware of both ages it comes to its end, and tells the two apart."""
    shims = ["quecpython_prelude", f"quecpython_{age}", "quecpython"]
    said = printed(QUECPYTHON, shims, "import quecpython; ", tmp_path)
    assert list(said) == [f"Q{number}" for number in range(1, 14)]
    assert said["Q2"] == "490154203237518"
    assert said["Q3"] == takes_ca
    assert said["Q6"] == "new"
    assert "ImportError" in said["Q7"]
    assert int(said["Q13"]) >= 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probe.py"]


def test_esp32(tmp_path: Path) -> None:
    """The other one: what NVS was given it gives back."""
    said = printed(ESP32, ["esp32"], "", tmp_path)
    assert list(said) == [f"E{number}" for number in range(1, 6)]
    assert said["E4"] == "(5, b'value')"


@pytest.mark.parametrize("source", [QUECPYTHON, ESP32])
def test_probes_are_in_the_dialect(source: str, tmp_path: Path) -> None:
    """MicroPython 1.13 can read them."""
    program = require("mpy-cross 1.13", MPY_CROSS_1_13 / "mpy-cross", "run make test")
    (tmp_path / "probe.py").write_text(source)
    subprocess.run([program, "-o", "/dev/null", tmp_path / "probe.py"], check=True)


def test_every_row_is_explained() -> None:
    """What a probe prints stands in the table below it."""
    for row in re.findall(r'^tried\("(\w+)"', QUECPYTHON + ESP32, re.M):
        assert re.search(rf"^\| {row} \|", PAGE, re.M), row
