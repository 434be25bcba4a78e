"""A station as a process, boards on the real MicroPython, a real server behind it."""

import json
import os
import select
import signal
import stat
import subprocess
import termios
import time

import pytest

from pointctl.broker.process import free_port
from pointctl.factory.domain.journal import Journal
from pointctl.factory.domain.units import Step
from tests import runtimes
from tests.brokers import running
from tests.faults import factory_floor as floor
from tests.patience import PATIENCE_S


@pytest.fixture
def site(tmp_path):
    """A registry with a batch for ten boards, and a server on it."""
    runtimes.micropython()
    made = floor.Site(tmp_path, quota=10)
    yield made
    made.server.stop()


def test_from_plan_to_certificate(site, tmp_path):
    """Two boards that boot, claim and are given credentials; and one that is wrong."""
    job = tmp_path / "job"
    options = ("--count=2", "--self-test=credentials", "--title=Meter")
    site.plan(job, site.server.port, *options)
    units = [
        floor.make_unit(site, tmp_path / "flash", n, flaw)
        for n, flaw in enumerate(("", "", "product"))
    ]
    ports = {f"p{n}": tmp_path / f"p{n}" for n in range(3)}
    station = floor.Station(job, site, ports)
    floor.Shift(station, ports, units, 1, cut_rate=0).work()
    assert station.stop() == 4, station.errors
    told = {unit.imei: (unit.outcome, unit.reason) for unit in units}
    assert told == {
        units[0].imei: ("passed", ""),
        units[1].imei: ("passed", ""),
        units[2].imei: ("refused", "wrong product"),
    }
    for unit in units[:2]:
        key = site.key_of(unit.imei)
        assert (unit.flash / "claim.key").read_text() == key + "\n"
        assert (unit.flash / "credentials.0").exists()
        assert (job / "labels" / f"{unit.imei}.png").is_file()
    assert set(site.states().values()) <= {"issued", "confirmed"}
    assert site.enrolled() == 2
    papers = tmp_path / "papers"
    report = floor.pointctl(
        "report",
        job,
        "--json",
        "--check-source",
        f"--out={tmp_path / 'units.xlsx'}",
        f"--labels={tmp_path / 'labels.pdf'}",
        f"--certificates={papers}",
        **site.secrets,
    )
    assert report.returncode == 4, report.stderr
    figures = json.loads(report.stdout)
    assert (figures["done"], figures["spent"], figures["agrees"]) == (2, 2, True)
    assert figures["not_done"] == {"wrong product": 1}
    assert sorted(path.name for path in papers.iterdir()) == sorted(
        f"{unit.imei}.{kind}" for unit in units[:2] for kind in ("json", "txt")
    )
    check_nothing_secret(site, job, papers, units, station)


@pytest.mark.parametrize("kind", [floor.Site, floor.GizwitsSite])
def test_until_the_broker_has_heard_of_it(kind, tmp_path):
    """The board boots on the key that was burned just now, logs in, and publishes."""
    runtimes.micropython()
    port = free_port()
    site = kind(tmp_path, quota=1, mqtt_port=port)
    lines: list[str] = []
    broker = site.broker(tmp_path / "broker", port, lines.append)
    job, at = tmp_path / "job", tmp_path / "p0"
    try:
        with running(broker):
            site.plan(job, site.server.port, "--self-test=broker")
            unit = floor.make_unit(site, tmp_path / "flash", 1)
            station = floor.Station(job, site, {"p0": at})
            floor.Shift(station, {"p0": at}, [unit], 1, cut_rate=0).work()
            assert station.stop() == 0, station.errors
    finally:
        site.server.stop()
    assert (unit.outcome, unit.reason) == ("passed", "")
    with Journal(job) as journal:
        (tested,) = [e for e in journal.events(unit.imei) if e.step is Step.TESTED]
    assert tested.note is not None
    assert "published" in tested.note
    held = (unit.flash / site.key_file).read_text()
    assert held == site.key_of(unit.imei) + "\n"
    assert [line for line in lines if unit.imei in line], lines
    assert site.spent() == 1


def check_nothing_secret(site, job, papers, units, station):
    """No key and no token in files that others get, on the screen, or readable."""
    secrets = [site.secrets["POINTCTL_FACTORY"].encode()]
    secrets += [site.key_of(unit.imei).encode() for unit in units]
    said = json.dumps(station.events) + "".join(station.errors)
    files = [*papers.iterdir(), *(path for path in job.rglob("*") if path.is_file())]
    for secret in secrets:
        assert secret not in said.encode()
        assert [path for path in files if secret in path.read_bytes()] == []
    for path in files:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077 or path.name == "lock"


def test_a_quecpython_module(site, tmp_path):
    """Under /usr, on MicroPython 1.13's names; a kind that the plan does not want."""
    job, port = tmp_path / "job", tmp_path / "p0"
    site.plan(job, site.server.port, "--board=quecpython")
    unit = floor.make_unit(site, tmp_path / "flash", 1, kind="quecpython")
    other = floor.make_unit(site, tmp_path / "flash", 2)
    station = floor.Station(job, site, {"p0": port}, "quecpython")
    floor.Shift(station, {"p0": port}, [unit], 1, cut_rate=0).work()
    assert station.stop() == 0, station.errors
    assert (unit.outcome, unit.reason) == ("passed", "")
    key = site.key_of(unit.imei)
    assert (unit.home / "claim.key").read_text() == key + "\n"
    station = floor.Station(job, site, {"p0": port})
    floor.Shift(station, {"p0": port}, [other], 1, cut_rate=0).work()
    assert station.stop() == 4, station.errors
    assert (other.outcome, other.reason) == ("refused", "wrong board")
    assert site.registered() == {unit.imei}


def test_a_quecpython_module_that_has_lost_its_key(site, tmp_path):
    """It tells no chip id, so it could be another board: somebody has to say so."""
    job, port = tmp_path / "job", tmp_path / "p0"
    site.plan(job, site.server.port, "--board=quecpython")
    unit = floor.make_unit(site, tmp_path / "flash", 1, kind="quecpython")
    key_file = unit.home / site.key_file
    for options, outcome in (
        ((), ("passed", "")),
        ((), ("refused", "duplicate")),
        ((f"--repair={unit.imei}",), ("passed", "")),
    ):
        key_file.unlink(missing_ok=True)
        station = floor.Station(job, site, {"p0": port}, "quecpython", options)
        floor.Shift(station, {"p0": port}, [unit], 1, cut_rate=0).work()
        station.stop()
        assert (unit.outcome, unit.reason) == outcome, station.errors
        assert key_file.exists() == (outcome[0] == "passed")
    assert key_file.read_text() == site.key_of(unit.imei) + "\n"
    assert site.registered() == {unit.imei}


def test_at_a_terminal(site, tmp_path):
    """The live table with its big words and its bell; Ctrl-C ends it."""
    job, port = tmp_path / "job", tmp_path / "p0"
    site.plan(job, site.server.port, "--count=5")
    unit = floor.make_unit(site, tmp_path / "flash", 1)
    screen, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (30, 120))
    process = subprocess.Popen(
        [*floor.POINTCTL, "run", job, f"--port=esp32={port}"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | site.secrets | {"TERM": "xterm-256color"},
    )
    os.close(terminal)
    try:
        shown, deadline = b"", time.monotonic() + PATIENCE_S
        with unit.at(port):
            while b" PASS " not in shown:
                shown += read(screen)
                assert time.monotonic() < deadline, shown[-2000:]
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            shown += read(screen)
            assert time.monotonic() < deadline, shown[-2000:]
    finally:
        process.kill()
        process.wait()
        os.close(screen)
    assert process.returncode == 0
    text = shown.decode()
    for words in ("plug a board in", unit.imei, "1 of 5 done", "an hour", "\a"):
        assert words in text
    assert site.key_of(unit.imei) not in text


def read(screen):
    """What a terminal shows next, if anything comes within a moment."""
    if not select.select([screen], [], [], 0.2)[0]:
        return b""
    try:
        return os.read(screen, 65536)
    except OSError:  # the last program has closed it
        return b""


def wait_for(job, unit, step):
    """Until the journal says so of a unit."""
    deadline = time.monotonic() + PATIENCE_S
    with Journal(job) as journal:
        while step not in [event.step for event in journal.events(unit.imei)]:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_station_that_is_killed(site, tmp_path):
    """kill -9 while a board is in work: it goes on by itself, for one key."""
    job = tmp_path / "job"
    site.plan(job, site.server.port)
    unit = floor.make_unit(site, tmp_path / "flash", 1)
    ports = {"p0": tmp_path / "p0"}
    station = floor.Station(job, site, ports)
    with unit.at(ports["p0"]):
        wait_for(job, unit, Step.BURNING)
        since = station.here()
        station.kill()
        found = station.result(ports["p0"], since, 60)
    assert found is not None
    told = found[1]
    assert told["unit"] == unit.imei
    assert told["outcome"] in ("passed", "already")
    assert station.stop() == 0, station.errors
    assert site.registered() == {unit.imei}
