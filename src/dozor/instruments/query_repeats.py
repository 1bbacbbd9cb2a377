"""Statements that one request sends again and again from one line: a loop where a join or one query for all would do (N+1)."""

from typing import Final

from msgspec import Struct

from dozor.instruments.query_statement import QueryStatement
from dozor.metrics import Children, Counter
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

REPEATED_AT: Final = 10
MOST_KEPT: Final = 200
_MOST_ENDPOINTS: Final = 100


class RepeatedQuery(Struct, frozen=True):
    """A statement that requests to one endpoint repeat.

    Attributes:
        endpoint: as in `GET /orders/{id}`.
        caller: the line that sends it, as in `shop.py:88 in list_orders`; None where it is not known.
        requests: how many requests repeated it.
        times: how often they sent it, together; *most_times* the most that one of them did.
        lost_seconds: an estimate of what the repetitions took in the database: all but one of each request, at the mean.
        first_at: timestamp; *last_at* likewise.
    """

    pool: str
    endpoint: str
    fingerprint: str
    statement: str
    caller: str | None
    requests: int
    times: int
    most_times: int
    lost_seconds: float
    first_at: float
    last_at: float


class QueryRepeats:
    """The findings of one engine, the `MOST_KEPT` last. Used under the book's lock.

    Args:
        pool_name: the label `pool`.
        labels: of its series.
        repeated_at: how often a request must send a statement for it to be one.
    """

    def __init__(self, pool_name: str, labels: Labels, repeated_at: int = REPEATED_AT) -> None:
        self.repeated_at = repeated_at
        self._pool_name = pool_name
        self._found: dict[tuple[str, str], RepeatedQuery] = {}
        self._total = Children(("endpoint",), Counter, base=labels, limit=_MOST_ENDPOINTS)

    def note(
        self, endpoint: str, statement: QueryStatement, times: int, *, caller: str | None, at: float, requests: int
    ) -> None:
        """So many *requests* to *endpoint* sent *statement* so many *times* each."""
        if times < self.repeated_at:
            return
        self._total.get(endpoint).inc(requests)
        mean = statement.history.total.mean or 0.0
        key = (endpoint, statement.fingerprint)
        before = self._found.pop(key, None)  # what is found goes to the end
        self._found[key] = RepeatedQuery(
            pool=self._pool_name,
            endpoint=endpoint,
            fingerprint=statement.fingerprint,
            statement=statement.statement,
            caller=caller or (before.caller if before is not None else statement.callers.first),
            requests=requests + (before.requests if before else 0),
            times=requests * times + (before.times if before else 0),
            most_times=max(times, before.most_times if before else 0),
            lost_seconds=requests * (times - 1) * mean + (before.lost_seconds if before else 0.0),
            first_at=before.first_at if before else at,
            last_at=at,
        )
        while len(self._found) > MOST_KEPT:
            del self._found[next(iter(self._found))]

    def found(self) -> list[RepeatedQuery]:
        """All that is kept, the last found first."""
        return list(reversed(self._found.values()))

    def families(self) -> list[Family]:
        """`db_query_n_plus_one_total{endpoint}`."""
        name = "db_query_n_plus_one_total"
        samples = tuple(Sample(name, labels, counter.value) for labels, counter in self._total.items())
        text = f"Requests that sent one statement {self.repeated_at} times or more."
        return [Family(name, MetricType.COUNTER, text, "requests", samples)] if samples else []
