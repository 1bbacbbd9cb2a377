"""One statement, by its fingerprint: what it costs, which lines of code and which endpoints send it."""

from collections import Counter
from typing import Final

from msgspec import Struct

from dozor.instruments.query_tally import History, Tally

OTHER: Final = "other"
_MOST_CALLERS: Final = 5
_MOST_ERRORS: Final = 5
_MOST_ENDPOINTS: Final = 10


class QueryWindow(Struct, frozen=True):
    """What a statement did in one stretch of time. Times in seconds.

    *calls_per_second* is over the seconds that the stretch lasted; *share* is its part of the time of all statements then, 0 to 1; *rows* are those of *rows_known* of its calls.
    None is unknown: a server counts no failed calls, and keeps no single times.
    """

    calls: int
    calls_per_second: float
    errors: int | None
    timeouts: int | None
    cancelled: int | None
    slow: int | None
    total_seconds: float
    mean_seconds: float | None
    stddev_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None
    rows: int
    rows_known: int
    share: float

    @classmethod
    def of(cls, tally: Tally, lasted_seconds: float, all_seconds: float, *, each_known: bool = True) -> "QueryWindow":
        """*tally*, in a stretch of time that *lasted_seconds*, in which all statements took *all_seconds*.

        *each_known*: whether single calls were seen, and not just what they added up to.
        """
        return cls(
            calls=tally.calls,
            calls_per_second=tally.calls / lasted_seconds if lasted_seconds > 0 else 0.0,
            errors=tally.errors if each_known else None,
            timeouts=tally.timeouts if each_known else None,
            cancelled=tally.cancelled if each_known else None,
            slow=tally.slow if each_known else None,
            total_seconds=tally.seconds,
            mean_seconds=tally.mean,
            stddev_seconds=tally.deviation,
            p50_seconds=_at_most(tally.sketch.quantile(0.5), tally.longest),
            p95_seconds=_at_most(tally.sketch.quantile(0.95), tally.longest),
            p99_seconds=_at_most(tally.sketch.quantile(0.99), tally.longest),
            max_seconds=tally.most,
            rows=tally.rows,
            rows_known=tally.rows_known,
            share=tally.seconds / all_seconds if all_seconds > 0 else 0.0,
        )


def _at_most(value: float | None, limit: float) -> float | None:
    return None if value is None else min(value, limit)


class Few:
    """How often each of a few names came; of further ones, how often altogether, under `other`."""

    __slots__ = ("_counts", "_most", "_other")

    def __init__(self, most: int) -> None:
        self._counts: Counter[str] = Counter()
        self._most, self._other = most, 0

    def add(self, name: str, times: int = 1) -> None:
        """*name* came *times* more."""
        if name in self._counts or len(self._counts) < self._most:
            self._counts[name] += times
        else:
            self._other += times

    def items(self) -> tuple[tuple[str, int], ...]:
        """The most frequent first, `other` last."""
        found = self._counts.most_common()
        return (*found, (OTHER, self._other)) if self._other else tuple(found)

    @property
    def first(self) -> str | None:
        """The most frequent."""
        found = self._counts.most_common(1)
        return found[0][0] if found else None


class QueryStatement:
    """What is known of all texts of one fingerprint. Used under the book's lock.

    Attributes:
        statement: the redacted text.
        text: one of the texts as it was sent, for a plan. In memory only; shown to nobody.
        first_seen: timestamp; *last_seen* likewise.
        callers: how often each line of code was seen to send it, in samples.
        endpoints: how often each sent it.
        raised: how often it failed with an error of each class.
    """

    __slots__ = (
        "callers",
        "endpoints",
        "fingerprint",
        "first_seen",
        "history",
        "last_seen",
        "operation",
        "pending",
        "raised",
        "statement",
        "text",
    )

    def __init__(self, fingerprint: str, statement: str, operation: str, text: str, at: float) -> None:
        self.fingerprint, self.statement, self.operation, self.text = fingerprint, statement, operation, text
        self.first_seen = self.last_seen = at
        self.history = History()
        self.pending: Tally | None = None
        self.callers, self.endpoints = Few(_MOST_CALLERS), Few(_MOST_ENDPOINTS)
        self.raised = Few(_MOST_ERRORS)
