"""What is optional is told where it is missing, and never an error of the tests."""

import os
import re
import subprocess
import sys

from tests.optional import PARTS
from tests.runtimes import ROOT

# One test, or a few of the same name, that cannot do without the part.
USERS = {
    "chromium": "host/server/test_console_browser.py::test_searching",
    "curl": "host/docs/test_gizwits_page.py::test_the_examples",
    "dpkg-deb": "host/gates/test_setup.py::test_a_venv_without_ensurepip_gets_pip",
    "faketime": "faults/test_slice.py::test_slice[clocks]",
    "git": "host/downloads/test_secrets.py::test_what_git_does_not_know_is_refused",
    "libzbar": "host/factory/test_labels.py::test_zbar_reads_it[small-imei]",
    "make": "host/gates/test_setup.py::test_make_help_lists_every_target[from a shell]",
    "mosquitto": "host/broker/test_mosquitto.py::test_no_secret_is_in_argv",
    "nginx": "host/docs/test_deployment.py::test_boards_behind_nginx",
    "postgresql": "host/registry/test_database.py::test_one_who_writes_alone",
    "rabbitmq": "host/broker/test_rabbitmq.py::test_a_stranger_is_refused[plain]",
    "systemd-analyze": "host/docs/test_deployment.py::test_the_units_are_understood",
}


def run(ci: str, *arguments: str) -> str:
    """What pytest prints where everything optional is hidden; it runs the users."""
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*pytest, "-p", "tests.hidden", "-rsfE", "--tb=line", *arguments],
        cwd=ROOT,
        env={
            **{n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")},
            "CI": ci,
            "COLUMNS": "300",
            "POINTACCESS_ONLY": " ".join(f"tests/{one}" for one in USERS.values()),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == (1 if ci else 0), done.stdout + done.stderr
    return done.stdout


def told(pattern: str, printed: str) -> list[str]:
    """The messages that pytest's summary has after `pattern`, each once."""
    return sorted(set(re.findall(f"^{pattern}(.*)$", printed, re.M)))


WANTED = sorted(
    f"{name} is missing: apt-get install {part.package}" for name, part in PARTS.items()
)


def test_every_part_has_a_user() -> None:
    """A part that nothing needs does not belong in the list."""
    assert USERS.keys() == PARTS.keys()


def test_without_any_part_tests_are_skipped() -> None:
    """All are collected without an error; a test says the package that it lacks."""
    printed = run("", "tests")
    assert told(r"SKIPPED \[\d+\] \S+: ", printed) == WANTED
    assert re.search(r"^\d+ skipped in ", printed, re.M), printed


def test_under_ci_they_fail() -> None:
    """There nothing may be left out."""
    files = {f"tests/{one.partition('::')[0]}" for one in USERS.values()}
    printed = run("true", *sorted(files))
    assert told("(?:FAILED|ERROR) .* - Failed: ", printed) == WANTED
    assert re.search(r"^\d+ failed, \d+ errors? in ", printed, re.M), printed
