"""dashboard/overview as the document that the stream patches: see `live_schemas.LiveOverview`."""

from collections.abc import Sequence
from typing import Any, Final

from dozor._version import __version__
from dozor.api.alert_json import alert_fields
from dozor.api.backend import Backend
from dozor.api.live_schemas import LiveAlert, LiveOverview, LivePool, LiveServer
from dozor.api.reading_schemas import SparklineModel
from dozor.api.rendering import date
from dozor.api.targets import finite, relation, sparkline_model, whole
from dozor.clock import Clock
from dozor.merge_patch import Document
from dozor.model.alert import Alert
from dozor.overview import Known, Sparkline, TargetStatus, assess

MOST_ALERTS: Final = 100


def live_document(backend: Backend) -> Document:
    """How everything is now, in what JSON knows, without null members. In Dozor's thread."""
    clock, known = backend.clock, backend.known()
    overview = assess(known, clock.timestamp())
    alerts = overview.alerts[:MOST_ALERTS]
    document = LiveOverview(
        **whole(overview),
        alerts={alert.id: _alert(alert, known, clock) for alert in alerts},
        alert_order=[alert.id for alert in alerts],
        alerts_total=len(overview.alerts),
        pools={_key(pool): LivePool(**_target(pool, known, clock), worker=pool.worker) for pool in overview.pools},
        servers={
            _key(server): LiveServer(**_target(server, known, clock), **relation(server)) for server in overview.servers
        },
        http=finite(backend.http_figures()),
        host=finite(known.host),
        sparklines=_sparklines(backend.sparklines(), clock),
        name=known.name,
        environment=known.environment,
        version=__version__,
        started_at=date(clock, known.started_at),
        receivers=list(known.receivers),
        interval_seconds=known.interval_seconds,
        checked_at=date(clock, known.looked_at),
        generated_at=clock.now(),
    )
    return document.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def _sparklines(lines: Sequence[Sparkline], clock: Clock) -> dict[str, dict[str, SparklineModel]]:
    """*lines* by figure and then by their labels."""
    found: dict[str, dict[str, SparklineModel]] = {}
    for line in lines:
        labels = ",".join(f'{name}="{value}"' for name, value in line.labels.pairs)
        found.setdefault(line.key, {})[labels] = sparkline_model(line, clock)
    return found


def _alert(alert: Alert, known: Known, clock: Clock) -> LiveAlert:
    fields = alert_fields(alert, clock, known.silences)
    del fields["evidence"]
    return LiveAlert(**fields)


def _target(target: TargetStatus, known: Known, clock: Clock) -> dict[str, Any]:
    # That all figures are as new as the whole is the rule; said of each, it would change each of them at every look.
    stale = target.checked_at != known.looked_at
    return {
        **finite(target.figures),
        "name": target.name,
        "status": target.status.value,
        "reasons": list(target.reasons),
        "checked_at": date(clock, target.checked_at) if stale else None,
    }


def _key(target: TargetStatus) -> str:
    return target.name if target.worker is None else f"{target.name}@{target.worker}"
