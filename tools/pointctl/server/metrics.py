"""Figures for Prometheus: what the processes count, and what is in the registry.

No label names a device. Several processes count into files of one folder, which
PROMETHEUS_MULTIPROC_DIR names before this module is imported.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from point import __version__
from pointctl import certificates
from pointctl.errors import PointctlError
from pointctl.registry.devices import overview
from pointctl.registry.storage.database import Database

HOST = "127.0.0.1"  # for this machine only; let a proxy forward them to others
SHARED = "PROMETHEUS_MULTIPROC_DIR"

_log = structlog.get_logger()

_counted = CollectorRegistry()
REQUESTS = Counter(
    "pointaccess_requests",
    "Requests of boards, by the code that they were answered.",
    ["code"],
    registry=_counted,
)
SECONDS = Histogram(
    "pointaccess_request_seconds",
    "Time from a board's request to the answer, without the network.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=_counted,
)
QUESTIONS = Counter(
    "pointaccess_mqtt_questions",
    "What brokers asked: connect, vhost, resource or topic.",
    ["question", "answer"],
    registry=_counted,
)


def count_reply(code: str, seconds: float) -> None:
    """Count a reply to a board."""
    REQUESTS.labels(code).inc()
    SECONDS.observe(seconds)


def count_decision(question: str, allowed: bool) -> None:
    """Count an answer to a broker."""
    QUESTIONS.labels(question, "allow" if allowed else "deny").inc()


def start(database: Database, certificate: Path, port: int) -> None:
    """Serve all figures on HOST, from a thread, until the process ends.

    Port 0 takes a free one; the log event `metrics` says which one. Raises OSError.
    """
    registry = CollectorRegistry()
    if folder := os.environ.get(SHARED):
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    else:
        registry.register(_counted)
        ProcessCollector(registry=registry)
    registry.register(_RegistryCollector(database, certificate))
    server, _ = start_http_server(port, HOST, registry)
    url = f"http://{HOST}:{server.server_port}/metrics"
    _log.info("metrics", url=url)


class _RegistryCollector(Collector):
    """Reads the registry and the certificate's file each time it is asked."""

    def __init__(self, database: Database, certificate: Path) -> None:
        self._database = database
        self._certificate = certificate

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("pointaccess_build", "Always 1.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        up = GaugeMetricFamily(
            "pointaccess_database_up", "Whether the registry could be read."
        )
        try:
            found = list(self._registry())
        except PointctlError as error:
            _log.warning("figures are missing", exc_info=error)
            found = []
        up.add_metric([], float(bool(found)))
        yield up
        yield from found
        end = certificates.expiry(self._certificate)
        if end is not None:
            yield GaugeMetricFamily(
                "pointaccess_certificate_end_timestamp_seconds",
                "When the server's certificate ends.",
                value=end.timestamp(),
            )

    def _registry(self) -> Iterator[Metric]:
        states = GaugeMetricFamily(
            "pointaccess_devices", "Devices, by state.", labels=["state"]
        )
        for state, count in overview.count_states(self._database).items():
            states.add_metric([state], count)
        yield states
        yield CounterMetricFamily(
            "pointaccess_enrolments",
            "Devices that were ever issued a credential.",
            value=overview.count_enrolled(self._database),
        )
        left = GaugeMetricFamily(
            "pointaccess_pool_left",
            "Imported credentials that nobody has yet.",
            labels=["product_key"],
        )
        low = GaugeMetricFamily(
            "pointaccess_pool_low",
            "1 where fewer are left than the product warns at.",
            labels=["product_key"],
        )
        for pool in overview.count_pools(self._database):
            left.add_metric([pool["product_key"]], pool["left"])
            low.add_metric([pool["product_key"]], float(pool["low"]))
        yield from (left, low)
