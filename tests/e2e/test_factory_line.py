"""A station as a process, boards on the real MicroPython, a real server behind it."""

import json
import stat
import time

import pytest

from pointctl.factory.journal import Journal
from pointctl.factory.units import Step
from tests import runtimes
from tests.faults import factory_floor as floor


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
        key = site.master.derive(floor.PRODUCT, unit.imei).hex()
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


def check_nothing_secret(site, job, papers, units, station):
    """No key and no token in files that others get, on the screen, or readable."""
    secrets = [site.secrets["POINTCTL_FACTORY"].encode()]
    secrets += [
        site.master.derive(floor.PRODUCT, unit.imei).hex().encode() for unit in units
    ]
    said = json.dumps(station.events) + "".join(station.errors)
    files = [*papers.iterdir(), *(path for path in job.rglob("*") if path.is_file())]
    for secret in secrets:
        assert secret not in said.encode()
        assert [path for path in files if secret in path.read_bytes()] == []
    for path in files:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077 or path.name == "lock"


def wait_for(job, unit, step):
    """Until the journal says so of a unit."""
    deadline = time.monotonic() + 60
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
