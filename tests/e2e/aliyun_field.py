"""What tests of a board and the stand-in's cloud begin with: both, and a timeline."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from pointctl.demo.timeline import Timeline, TimelineEvent
from tests import runtimes
from tests.e2e import hostile
from tests.e2e.aliyun_cloud import running
from tests.e2e.cloud_board import Board, Power
from tests.e2e.mqtt_wire import HOST

IMEI = "490154203237518"


class Field:
    """One product with one device, which was made on the console; made by field()."""

    def __init__(self, authority: trustme.CA, folder: Path) -> None:
        runtimes.micropython()
        self.folder = folder
        self.ca = hostile.der(authority)
        self.timeline = Timeline(None)
        self.certificate = authority.issue_cert(HOST)

    def begin(self, cloud: Any) -> None:
        """Give the cloud its product and device."""
        self.cloud = cloud
        self.product = cloud.registry.product("a1B2c3D4e5F")
        self.device = cloud.registry.device(self.product, IMEI)

    def board(self, example: str | None = None, **more: Any) -> Board:
        """The board, with `more` in its settings.json."""
        settings = {
            "source": "aliyun",
            "productKey": self.product.key,
            "productSecret": self.product.secret,
            "register": "mqtt",
            "mqtt": {"host": HOST, "port": self.cloud.server.port},
        } | more
        where = self.timeline, IMEI, self.ca, settings, example
        return Board(self.folder / "flash", *where)

    def wait(self, power: Power, who: str, event: str) -> TimelineEvent:
        """Until that has happened in this chapter, and while nobody complains."""
        return self.timeline.require(
            who, event, lambda: power.alive() and not self.cloud.complaints
        )

    def count(self, who: str, event: str) -> int:
        """How often that happened in this chapter."""
        return self.timeline.count(who, event)


@contextmanager
def field(authority: trustme.CA, folder: Path) -> Iterator[Field]:
    """A Field while its cloud runs; the cloud must have nothing to complain of."""
    made = Field(authority, folder)
    context = hostile.server_context(made.certificate)
    say = made.timeline.add
    with running(context, lambda *words: say("cloud", *words)) as cloud:
        made.begin(cloud)
        yield made
