"""Figures for Prometheus. Each serving process counts its own requests; what concerns the whole
installation is asked of the database at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector

from auricle import db
from auricle.core.settings import Settings
from auricle.credits.services import unbalanced
from auricle.jobs.services import worker_stats
from auricle.library.services import queue

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One for each serving process."""

    def __init__(self, settings: Settings) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "auricle_requests", "Requests", ["method", "api", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "auricle_request_seconds",
            "Seconds from a request's first byte to its answer's last",
            ["api"],
            registry=self._registry,
            buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800),
        )
        self._registry.register(_Installation(settings))

    def count(self, method: str, api: str, status: int, seconds: float) -> None:
        """Count a request that has been answered."""
        self._requests.labels(method, api, str(status)).inc()
        self._seconds.labels(api).observe(seconds)

    async def page(self) -> bytes:
        """What a scrape gets."""
        return await db.run(generate_latest, self._registry)


class _Installation:
    """Queue, workers and ledger, as they are at the moment of a scrape."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def describe(self) -> Iterator[Metric]:
        """Nothing: the figures' names are known only when the database is asked."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        waiting = queue()
        yield _gauge("queue_waiting", "Transcripts that wait", waiting["waiting"])
        yield _gauge("queue_running", "Transcripts that are being made", waiting["running"])
        yield _gauge("queue_audio_seconds", "Seconds of audio that are left", waiting["seconds"])
        yield _gauge("queue_age_seconds", "Age of the oldest that waits", waiting["age_seconds"])
        yield _gauge(
            "ledger_errors", "Balances that are not the sum of their entries", unbalanced()
        )
        yield from _workers(self._settings.worker_timeout_s)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"auricle_{name}", help_text, value=value)


def _workers(silence_s: float) -> Iterator[Metric]:
    """What the workers say of themselves: real-time factor, batch fill, memory."""
    families: dict[str, GaugeMetricFamily] = {}
    for worker, stats in worker_stats(silence_s).items():
        for name, value in stats.items():
            family = families.setdefault(
                name,
                GaugeMetricFamily(
                    f"auricle_worker_{name}", name.replace("_", " "), labels=["worker"]
                ),
            )
            family.add_metric([worker], value)
    yield from families.values()
