"""What the response cache counts."""

from collections.abc import Iterable
from typing import Final, Literal

from dozor.metrics import Children, Counter
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

Result = Literal["hit", "revalidated", "miss", "bypass", "error"]
Operation = Literal["read", "write", "delete"]

_RESULTS: Final[tuple[Result, ...]] = ("hit", "revalidated", "miss", "bypass", "error")
_OPERATIONS: Final[tuple[Operation, ...]] = ("read", "write", "delete")
_NO_LABELS: Final = Labels()


class ResponseCacheMetrics:
    """Counters of all response caches of a process. Any thread may count and read."""

    name = "response_cache"
    at_once = True

    def __init__(self) -> None:
        self._requests = Children(("result",), Counter)
        self._errors = Children(("operation",), Counter)
        self._stored = Counter()
        self._opened = Counter()
        self._attached = False

    def attach(self) -> None:
        """A cache is there: from now on everything is shown, beginning at 0."""
        for result in _RESULTS:
            self._requests.get(result)
        for operation in _OPERATIONS:
            self._errors.get(operation)
        self._attached = True

    def count_request(self, result: Result) -> None:
        """One GET request was answered."""
        self._requests.get(result).inc()

    def count_error(self, operation: Operation) -> None:
        """Redis did not do an operation, or not in time."""
        self._errors.get(operation).inc()

    def count_stored(self) -> None:
        """A response was kept."""
        self._stored.inc()

    def count_opened(self) -> None:
        """A breaker opened."""
        self._opened.inc()

    async def refresh(self) -> None:
        """Nothing to read: all is counted where it happens."""

    def families(self) -> Iterable[Family]:
        """The metrics; none in a process without a response cache."""
        if not self._attached:
            return []
        return [
            _family(
                "response_cache_requests_total",
                "GET requests by how the response cache answered them: hit (kept response), revalidated (kept response "
                "that the handler confirmed), miss (handler, may be kept), bypass (handler, must not be kept), "
                "error (handler, because Redis did not answer).",
                "requests",
                self._requests,
            ),
            _family(
                "response_cache_errors_total",
                "Operations of the response cache that Redis refused, or did not answer in time.",
                "operations",
                self._errors,
            ),
            _plain("response_cache_stored_total", "Responses kept.", "responses", self._stored),
            _plain(
                "response_cache_breaker_opened_total",
                "Times that the response cache stopped asking Redis for a while.",
                "events",
                self._opened,
            ),
        ]


def _family(name: str, text: str, unit: str, children: Children[Counter]) -> Family:
    samples = tuple(Sample(name, labels, counter.value) for labels, counter in children.items())
    return Family(name, MetricType.COUNTER, text, unit, samples)


def _plain(name: str, text: str, unit: str, counter: Counter) -> Family:
    return Family.counter(name, text, unit, counter.value)


METRICS: Final = ResponseCacheMetrics()
"""The counters of this process; Dozor collects them."""
