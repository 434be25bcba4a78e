"""Parts for the factory's tests: boards in memory, a source that counts."""

from dataclasses import dataclass, field

from pointctl.boards.link import LinkError
from pointctl.factory.domain.job import Plan, SelfTest, SourceKind
from pointctl.factory.domain.units import BoardFacts, Reason, key_hash
from pointctl.factory.sources.source import (
    AnswerLost,
    Key,
    KeyDenied,
    KeyStock,
    SourceDown,
)
from pointctl.factory.station.board import StepFailed
from pointctl.factory.station.line import Line
from pointctl.registry.devices import batches, products
from pointctl.registry.storage.database import Database
from pointctl.registry.storage.models import Policy
from tests.host.serving import KEYED

PRODUCT = "pk-line"
MAC = "02004c4f4f50"


class PowerCut(BaseException):
    """The station loses its power: nothing is done after it."""


def add_keyed(database: Database, quota: int) -> None:
    """A product whose boards have keys of their own, and its batch A7."""
    products.add(
        database,
        "Keyed",
        policy=Policy.DEVICE_KEY,
        product_key=KEYED,
        mqtt_host="mqtt.test",
    )
    batches.add(database, KEYED, "A7", "test", quota=quota)


def plan(**more) -> Plan:
    """A plan for any number of ESP32."""
    given = {"product": PRODUCT, "source": SourceKind.SERVER, "board": "esp32"}
    return Plan(**{**given, "made_at": "2026-11-22T08:00:00+00:00", **more})


@dataclass
class MemoryBoard:
    """A board as the station sees it; the calls in `fail` break the link."""

    unit: str
    kind: str = "esp32"
    product: str | None = PRODUCT
    built_for: str | None = None
    chip: str | None = None
    key: str | None = None
    claimed: str | None = None
    fail: list[str] = field(default_factory=list)
    torn: bool = False  # what is burned is not what reads back
    tried: int = 0

    def __enter__(self):
        self._do("open")
        return self

    def __exit__(self, *error):
        pass

    def identify(self):
        self._do("identify")
        return BoardFacts(
            self.unit,
            self.kind,
            self.product,
            self.built_for,
            self.chip,
            key_hash(self.key) if self.key else None,
            self.claimed,
        )

    def burn(self, key):
        self._do("burn")
        if self.torn:
            raise StepFailed(Reason.NOT_BURNED, "it does not read back")
        self.key = key
        self._do("burned")

    def run_self_test(self, test, within_s):
        self._do("try")
        assert test is not SelfTest.NONE
        self.tried += 1
        return "credentials 00000 server"

    def _do(self, what):
        if what in self.fail:
            self.fail.remove(what)
            raise LinkError("the board went away")


@dataclass
class CountingSource:
    """Gives each unit its own key, and counts the keys."""

    given: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: int = 0  # how often it will not answer
    denied: set[str] = field(default_factory=set)
    capacity: int | None = None
    lose: int = 0  # answers that are lost on the way back
    repeats_are_free: bool = True

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def request_key(self, unit):
        self.asked.append(unit)
        if self.down:
            self.down -= 1
            raise SourceDown("not now")
        if unit in self.denied:
            raise KeyDenied("not this one")
        found = self.given.setdefault(unit, f"{len(self.given) + 1:064x}")
        if self.lose:
            self.lose -= 1
            raise (SourceDown if self.repeats_are_free else AnswerLost)(
                "the answer was lost"
            )
        return Key(found)

    def stocks(self):
        return [KeyStock("A7", self.capacity, len(self.given))]


@dataclass
class CountingLabels:
    """Counts the printed labels."""

    made: list[str] = field(default_factory=list)

    def make(self, unit):
        self.made.append(unit)
        return {"label": f"{unit}.png", "label_sha256": "00"}


def line(
    journal, source, *boards, labels=None, repair=(), ask_again=(), **more
) -> Line:
    """Return a line whose port P<n> has the n-th board."""
    at = {f"P{number}": board for number, board in enumerate(boards)}
    given = plan(**more)
    return Line(
        given,
        journal,
        source,
        lambda port, _kind: at[port],
        labels,
        lambda *_: None,
        repair,
        ask_again,
    )
