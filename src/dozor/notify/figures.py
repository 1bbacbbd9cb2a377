"""What delivery says of itself in metrics. Times are in seconds."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from dozor.metrics import Histogram
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample
from dozor.notify.lane import Lane
from dozor.notify.outbox import Counts


def lane_families(lanes: Sequence[Lane]) -> Iterable[Family]:
    """How receivers fare. May be called from any thread."""
    yield _counter(
        "dozor_notifications_total",
        "Attempts to deliver a notification: sent, failed (and tried again later) or dead (given up).",
        "attempts",
        {lane.labels_of[result]: count.value for lane in lanes for result, count in lane.results.items()},
    )
    used = [lane for lane in lanes if lane.up is not None]
    if not used:
        return
    yield _histogram(
        "dozor_notification_seconds", "How long an attempt took, in seconds.", used, lambda lane: lane.attempt_seconds
    )
    yield _histogram(
        "dozor_notification_latency_seconds",
        "From the moment a notification was written to that when it arrived, in seconds.",
        used,
        lambda lane: lane.latency_seconds,
    )
    yield _gauge(
        "dozor_receiver_up",
        "Whether the last attempt at a receiver succeeded: 1 or 0; absent where there was none.",
        "",
        {lane.labels: float(bool(lane.up)) for lane in used},
    )
    yield _gauge(
        "dozor_receiver_open",
        "Whether a receiver failed so often that it is left alone but for a probe now and then: 1 or 0.",
        "",
        {lane.labels: float(lane.is_open) for lane in used},
    )
    yield _counter(
        "dozor_notifications_postponed_total",
        "Notifications that memory had no room for while the database was away; they wait for its return.",
        "notifications",
        {lane.labels: float(lane.letters.dropped) for lane in used},
    )


def outbox_families(counts: Counts, at: float) -> Iterable[Family]:
    """How full the outbox is."""
    yield Family.gauge(
        "dozor_outbox_depth", "Notifications that wait to be delivered.", "notifications", counts.pending
    )
    yield Family.gauge(
        "dozor_dead_letters", "Notifications that were given up and are kept.", "notifications", counts.dead
    )
    age = 0.0 if counts.oldest_at is None else max(0.0, at - counts.oldest_at)
    text = "Age of the oldest notification that waits to be delivered, in seconds; 0 where none does."
    yield Family.gauge("dozor_outbox_oldest_seconds", text, "seconds", age)


def _counter(name: str, text: str, unit: str, values: Mapping[Labels, float]) -> Family:
    samples = tuple(Sample(name, labels, value) for labels, value in values.items())
    return Family(name, MetricType.COUNTER, text, unit, samples)


def _gauge(name: str, text: str, unit: str, values: Mapping[Labels, float]) -> Family:
    samples = tuple(Sample(name, labels, value) for labels, value in values.items())
    return Family(name, MetricType.GAUGE, text, unit, samples)


def _histogram(name: str, text: str, lanes: Sequence[Lane], of: Callable[[Lane], Histogram]) -> Family:
    samples = [sample for lane in lanes for sample in of(lane).samples(name, lane.labels)]
    return Family(name, MetricType.HISTOGRAM, text, "seconds", tuple(samples))
