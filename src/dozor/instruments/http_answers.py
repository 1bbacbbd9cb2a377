"""What has been answered, by method, route and status: how often, how fast, and what the time went into."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

from dozor.instruments.work import Work
from dozor.locks import open_in_child
from dozor.metrics import Histogram, HistogramSnapshot
from dozor.metrics.instruments import FOLD_AT, LOOK_SECONDS, format_bound, histogram_samples, take_all
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0, 5.0, 10.0, 30.0)
_BUCKETS: Final = (*(format_bound(bound) for bound in BOUNDS), "+Inf")
_REQUESTS: Final = "http_requests_total"
_DURATION: Final = "http_request_duration_seconds"
_DURATION_TEXT: Final = "Time until the response began, in seconds; body and background work left out."


@dataclass(frozen=True, slots=True)
class Spent:
    """What requests did until their responses began. Work done at the same time counts each time."""

    wait_seconds: float = 0.0
    database_seconds: float = 0.0
    redis_seconds: float = 0.0
    statements: float = 0.0
    redis_commands: float = 0.0

    @classmethod
    def by(cls, work: Work) -> "Spent":
        """What *work* has spent so far."""
        return cls(work.wait_seconds, work.database_seconds, work.redis_seconds, work.statements, work.redis_commands)

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.wait_seconds + other.wait_seconds,
            self.database_seconds + other.database_seconds,
            self.redis_seconds + other.redis_seconds,
            self.statements + other.statements,
            self.redis_commands + other.redis_commands,
        )


_FIGURES: Final = len(fields(Spent))

# The fields of Spent as metrics. A route has such a series from the first of its requests on that spent any.
_SPENT: Final = (
    ("wait_seconds", "http_request_pool_wait_seconds_total", "seconds", "waiting for connections of pools, in seconds"),
    ("database_seconds", "http_request_database_seconds_total", "seconds", "in statements, in seconds"),
    ("redis_seconds", "http_request_redis_seconds_total", "seconds", "in commands to Redis, in seconds"),
    ("statements", "http_request_statements_total", "statements", None),
    ("redis_commands", "http_request_redis_commands_total", "commands", None),
)
_COUNTED_TEXT: Final = {
    "statements": "Statements that requests had executed when their responses began.",
    "redis_commands": "Commands that requests had sent to Redis when their responses began.",
}


@dataclass(frozen=True, slots=True)
class SlowRequest:
    """A request that was answered late.

    Attributes:
        at: when its response began, in Unix seconds.
        route: its template, never the path.
        seconds: until its response began.
        spent: what it had done by then.
    """

    at: float
    method: str
    route: str
    status: int
    seconds: float
    spent: Spent


@dataclass(frozen=True, slots=True)
class RequestInFlight:
    """A request that is being answered.

    Attributes:
        age_seconds: since it came.
        status: of its response, where that has begun: what goes on is its body, or work in the background.
        spent: what it has done so far; what goes on just now is not in it.
        doing: what it does now in words, as "waiting for a connection"; None where that is not known.
        place: the innermost line of the application's own code that it is in; None where it was not found.
    """

    method: str
    route: str
    age_seconds: float
    status: int | None
    spent: Spent
    doing: str | None
    place: str | None


class Answers:
    """What was answered by one method, route and status. Written by requests, read by Dozor. Safe in any thread."""

    __slots__ = ("__weakref__", "_lock", "_total", "_works", "next_look", "pending", "route", "seconds", "spend")

    def __init__(self) -> None:
        self.seconds = Histogram(BOUNDS)
        """Until the response began. Its count is the count of requests, and a request is one append."""
        self.pending = self.seconds.pending
        self.route = ""
        self.next_look = 0.0
        """When a request is to `look` again (monotonic seconds): now and then, for to ask each time how many wait costs more."""
        # One after the other the five figures of each request: tuples would be so many objects for the garbage collector to visit.
        self._works: list[float] = []
        self.spend = self._works.extend
        """Take in what a request has spent, as five figures in the order of `Spent`'s."""
        self._total = Spent()
        self._lock = threading.Lock()
        open_in_child(self)

    def look(self, now: float) -> None:
        """Take in what is pending, should Dozor's thread have left it for long; *now* is monotonic. Never waits."""
        self.next_look = now + LOOK_SECONDS
        if len(self.seconds.pending) > FOLD_AT:
            self.seconds.fold()
        if len(self._works) > _FIGURES * FOLD_AT and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def spent(self) -> Spent:
        """What all of them have spent."""
        with self._lock:
            if self._works:
                self._fold()
            return self._total

    def _fold(self) -> None:
        taken = take_all(self._works)
        self._total += Spent(*(sum(taken[figure::_FIGURES]) for figure in range(_FIGURES)))


def families(answers: Iterable[tuple[Labels, Answers]]) -> Iterator[Family]:
    """The counts, durations and what they went into, of *answers* by their labels."""
    snapshots = [(labels, found.seconds.snapshot(), found.spent()) for labels, found in answers]
    requests = [Sample(_REQUESTS, labels, float(snapshot.count)) for labels, snapshot, _ in snapshots]
    yield Family(_REQUESTS, MetricType.COUNTER, "Requests answered.", "requests", tuple(requests))
    durations, spent = _without_status(snapshots)
    samples = [
        sample
        for labels, snapshot in durations.items()
        for sample in histogram_samples(_DURATION, labels, _BUCKETS, snapshot)
    ]
    yield Family(_DURATION, MetricType.HISTOGRAM, _DURATION_TEXT, "seconds", tuple(samples))
    for attribute, name, unit, where in _SPENT:
        figures = [(labels, float(getattr(total, attribute))) for labels, total in spent.items()]
        text = (
            _COUNTED_TEXT[attribute]
            if where is None
            else f"Time of requests {where}, until the response began; what was done at once counts each time."
        )
        yield Family(
            name,
            MetricType.COUNTER,
            text,
            unit,
            tuple(Sample(name, labels, value) for labels, value in figures if value),
        )


def _without_status(
    snapshots: Sequence[tuple[Labels, HistogramSnapshot, Spent]],
) -> tuple[dict[Labels, HistogramSnapshot], dict[Labels, Spent]]:
    durations: dict[Labels, HistogramSnapshot] = {}
    spent: dict[Labels, Spent] = {}
    for labels, snapshot, total in snapshots:
        labels = _of_route(labels)  # noqa: PLW2901
        seen = durations.get(labels)
        if seen is None:
            durations[labels], spent[labels] = snapshot, total
        else:
            durations[labels], spent[labels] = _sum(seen, snapshot), spent[labels] + total
    return durations, spent


@lru_cache(maxsize=4096)
def _of_route(labels: Labels) -> Labels:
    return labels.without("status")


def _sum(one: HistogramSnapshot, other: HistogramSnapshot) -> HistogramSnapshot:
    cumulative = tuple(a + b for a, b in zip(one.cumulative, other.cumulative, strict=True))
    return HistogramSnapshot(cumulative, one.sum + other.sum, None)
