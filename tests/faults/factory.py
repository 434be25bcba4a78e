"""make faults-factory: a shift that loses its boards, its cloud and its station.

usage: python -m tests.faults.factory [--seed N] [--units N] [--source server|gizwits]
                                      [--slice] [--json]

A shift for each source. Eight ports, 400 boards on the real MicroPython, cables that
are pulled at random, a network that breaks connections at random bytes, and kill -9 of
the station, three times. At the end journal, source and every board's flash are
compared. About five minutes a shift on two cores.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from pointctl.factory.domain.journal import Journal
from pointctl.factory.domain.units import Step, UnitProgress, key_hash
from pointctl.factory.output import report
from tests.faults import factory_floor as floor
from tests.faults.__main__ import finished, table
from tests.faults.bench import Row, timed
from tests.faults.proxy import DOWN, FIN, RESET, UP, Fault, Proxy

# What is wrong with a board, and the word that the station must find for it.
FLAWS = {
    "product": "wrong product",
    "imei": "bad identity",
    "firmware": "no firmware",
    "key": "holds another key",
}
SOURCES = {"server": floor.Site, "gizwits": floor.GizwitsSite}
_CHAOS_RATE = 0.35  # of the time, connections are broken
_LONGEST = 4000  # bytes of an exchange, and a few more


@dataclass(frozen=True)
class Amounts:
    """How much of each."""

    units: int = 400
    ports: int = 8
    flawed: int = 20
    kills: int = 3


SLICE = Amounts(units=8, ports=3, flawed=2, kills=1)


class Weather:
    """What the way to the server is like: fine, or breaking at a random byte."""

    def __init__(self, proxy: Proxy, seed: int) -> None:
        self._proxy = proxy
        self._rng = random.Random(f"{seed}-weather")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._change)
        self.storms = 0

    def __enter__(self) -> "Weather":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._proxy.fault = None

    def _change(self) -> None:
        rng = self._rng
        while not self._over.wait(rng.uniform(0.2, 1.5)):
            self._proxy.fault = None
            if rng.random() < _CHAOS_RATE:
                where = rng.choice((UP, DOWN)), rng.randrange(_LONGEST)
                self._proxy.fault = Fault(*where, rng.choice((FIN, RESET)))
                self.storms += 1


def shift(seed: int, amounts: Amounts, source: str, folder: Path) -> Row:
    """One shift, and everything compared at its end."""
    name = f"{source}: {amounts.units} boards at {amounts.ports} ports"
    with timed(name) as row:
        good = amounts.units - amounts.flawed
        site = SOURCES[source](folder, good)  # not one key to spare
        proxy = Proxy(site.server.port)
        try:
            _shift(row, seed, amounts, folder, site, proxy)
        finally:
            proxy.close()
            site.server.stop()
    return row


def _shift(
    row: Row,
    seed: int,
    amounts: Amounts,
    folder: Path,
    site: floor.Site,
    proxy: Proxy,
) -> None:
    rng = random.Random(seed)
    good = amounts.units - amounts.flawed
    flaws = [list(FLAWS)[n % len(FLAWS)] for n in range(amounts.flawed)]
    flaws += [""] * good
    rng.shuffle(flaws)
    units = [
        floor.make_unit(site, folder / "flash", number, flaw)
        for number, flaw in enumerate(flaws)
    ]
    job = folder / "job"
    site.plan(job, proxy.port, f"--count={good}", "--board=esp32")
    ports = {f"p{n}": folder / f"p{n}" for n in range(amounts.ports)}
    station = floor.Station(job, site, ports)
    kills = sorted(
        rng.randrange(amounts.units * n, amounts.units * (n + 1)) // amounts.kills
        for n in range(amounts.kills)
    )
    killing = threading.Lock()

    def strike(over: int) -> None:
        with killing:
            if kills and over > kills[0]:
                kills.pop(0)
                time.sleep(rng.uniform(0, 2))
                station.kill()

    work = floor.Shift(station, ports, units, seed, on_done=strike)
    try:
        with Weather(proxy, seed) as weather:
            work.work()
    finally:
        code = station.stop()
    row.check(code in (0, 4), f"the station ended with {code}: {station.errors[-3:]}")
    row.check(
        station.starts == amounts.kills + 1, "the station was not killed so often"
    )
    with Journal(job) as journal:
        _compare(row, journal, site, units)
        figures = report.figures(journal)
    row.note = (
        f"{figures.done} enrolled for {figures.spent} keys, {amounts.flawed} set "
        f"aside; {work.cuts} unplugged, {station.starts - 1} kill -9, "
        f"{weather.storms} storms, {figures.turns} turns"
    )


def _compare(
    row: Row, journal: Journal, site: floor.Site, units: list[floor.Unit]
) -> None:
    """Journal, server and boards agree about every unit."""
    units_progress = journal.all_progress()
    registered = site.registered()
    answers: dict[str, int] = {}
    for event in journal.events():
        if event.step is Step.ANSWERED and event.unit:
            answers[event.unit] = answers.get(event.unit, 0) + 1
    for unit in units:
        progress = units_progress.get(unit.imei, UnitProgress(unit.imei))
        if unit.flaw:
            _compare_flawed(row, unit, progress, registered)
            continue
        key = site.key_of(unit.imei)
        file = unit.home / site.key_file
        held = file.read_text().strip() if file.exists() else None
        why = f"{unit.imei}: {unit.outcome} {unit.reason}, {progress}"
        row.check(progress.done, f"not done: {why}")
        row.check(answers.get(unit.imei) == 1, f"not one answer: {why}")
        row.check(held == key, f"the board holds something else: {why}")
        row.check(progress.key_hash == key_hash(key), f"another key: {why}")
        row.check(unit.imei in registered, f"the server does not know it: {why}")
    good = {unit.imei for unit in units if not unit.flaw}
    spent = sum(each.answered for each in units_progress.values())
    row.check(spent == site.spent() == len(good), f"{spent}, {site.spent()} spent")
    row.check(registered == good, "places that nobody has")
    row.check(not journal.faults(), "the journal is damaged")


def _compare_flawed(
    row: Row, unit: floor.Unit, progress: UnitProgress, registered: set[str]
) -> None:
    """It was refused or failed with the right word, and nothing was spent on it."""
    wanted = FLAWS[unit.flaw]
    row.check(unit.reason == wanted, f"{unit.flaw}: {unit.reason!r}, not {wanted!r}")
    row.check(not progress.answered, f"{unit.flaw}: a key was spent")
    row.check(unit.imei not in registered, f"{unit.flaw}: it has a place")


def run(seed: int, amounts: Amounts, sources: Sequence[str] = ()) -> list[Row]:
    """The rows of the table, a shift each."""
    rows = []
    for source in sources or SOURCES:
        with tempfile.TemporaryDirectory(prefix="pointctl-shift-") as folder:
            rows.append(finished(partial(shift, seed, amounts, source, Path(folder))))
    return rows


def main() -> int:
    """1 if anything is bad."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.factory", description="A shift with faults."
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--units", type=int, default=Amounts.units)
    parser.add_argument("--source", choices=SOURCES, help="else each")
    parser.add_argument("--slice", action="store_true", help="a little of it")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    amounts = Amounts(options.units, flawed=max(1, options.units // 20))
    begun = time.monotonic()
    sources = [options.source] if options.source else list(SOURCES)
    rows = run(options.seed, SLICE if options.slice else amounts, sources)
    seconds = time.monotonic() - begun
    if options.json:
        found = {"seed": options.seed, "seconds": round(seconds, 1)}
        print(json.dumps({**found, "rows": [asdict(row) for row in rows]}, indent=2))
    else:
        console = Console(highlight=False)
        console.print(table(rows, seconds, "make faults-factory"))
        for row in rows:
            for failure in row.failures:
                console.print(failure, markup=False, soft_wrap=True)
        print(f"seed {options.seed}")
    return 1 if any(row.bad for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
