"""The bench commands run, and print JSON of the right shape; no figure is judged."""

import json
import subprocess
import sys

from pointctl.boards.flash import CHECKOUT
from tests.patience import PATIENCE_S
from tests.runtimes import need


def run(*arguments: str) -> dict:
    """What `python -m bench…` prints."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments, "--json"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(done.stdout)


def test_bench():
    """Each figure has a name, a unit and a number, and a verdict if it has a budget."""
    need("mosquitto")
    found = run("bench", "--rounds", "1", "--heap-runs", "0")
    assert found["policy"] == "device-key"
    assert len(found["figures"]) > 10
    for figure in found["figures"]:
        assert figure["what"]
        assert figure["unit"]
        assert figure["value"] > 0, figure
        assert (figure["met"] is None) == (figure["budget"] is None)


def test_server():
    """Each database under each load, at each size; what is enrolled can be unsealed."""
    need("postgresql")
    few = ("--rounds", "1", "--requests", "100", "--import", "900")
    found = run("bench.server", *few)
    loads = [(row["database"], row["connections"]) for row in found["enrolments"]]
    assert loads == [(d, c) for d in ("sqlite", "postgresql") for c in (16, 64)]
    assert [size["devices"] for size in found["sizes"]] == [900] * 2
    for row in found["enrolments"] + found["sizes"] + found["imports"]:
        figures = [value for value in row.values() if isinstance(value, int | float)]
        assert all(value >= 0 for value in figures), row
    assert all(megabytes > 10 for megabytes in found["server_mb"].values())


def test_herd():
    """Every schedule serves all boards, and none with less than a request each."""
    found = run("bench.herd", "--boards", "1000")["1000"]
    assert {"point", "fixed 5 s", "exponential"} <= {one["name"] for one in found}
    for one in found:
        assert one["requests_per_board"] >= 1
        assert one["p99_s"] <= one["all_s"]
        assert len(one["served_s"]) == 100
