"""targets: what Dozor collects from, each collector as what Prometheus calls a target, each kind of them as a pool.

What is scraped is a target as in Prometheus: its job is the pool, its URL and labels are shown, its own interval and timeout.
"""

from typing import Any, Final

from fastapi import Response

from dozor.api.prometheus.backend import PrometheusBackend
from dozor.api.prometheus.envelope import respond, success
from dozor.api.prometheus.parameters import Parameters
from dozor.api.prometheus.values import rfc3339
from dozor.api.rendering import date
from dozor.clock import Clock
from dozor.duration import format_duration
from dozor.model.collector import CollectorHealth

_STATES_WITH_ACTIVE: Final = frozenset({"", "any", "active"})


async def targets(backend: PrometheusBackend, given: Parameters) -> Response:
    """Who is collected from, and how that went last."""
    wanted, pool = given.get("state").lower() in _STATES_WITH_ACTIVE, given.get("scrapePool")

    def build() -> bytes:
        interval = format_duration(backend.known().interval_seconds)
        found = [_target(one, interval, backend.clock) for one in backend.collectors()] if wanted else []
        chosen = [target for target in found if not pool or target["scrapePool"] == pool]
        return success({"activeTargets": chosen, "droppedTargets": [], "droppedTargetCounts": {}})

    return respond(await backend.in_dozor(build))


def _target(collector: CollectorHealth, interval: str, clock: Clock) -> dict[str, Any]:
    labels, url, pool, timeout = (
        {"collector": collector.name},
        collector.name,
        collector.name.partition(":")[0],
        interval,
    )
    if (page := collector.scraped) is not None:
        labels, url, pool = dict(page.labels.pairs), page.url, page.labels["job"]
        interval, timeout = format_duration(page.interval_seconds), format_duration(page.timeout_seconds)
    health = "unknown" if collector.collected_at is None else "up" if collector.failing is None else "down"
    return {
        "discoveredLabels": labels,
        "labels": labels,
        "scrapePool": pool,
        "scrapeUrl": url,
        "globalUrl": url,
        "lastError": collector.failing or "",
        "lastScrape": rfc3339(date(clock, collector.collected_at)),
        "lastScrapeDuration": collector.duration_seconds or 0,
        "health": health,
        "scrapeInterval": interval,
        "scrapeTimeout": timeout,
    }
