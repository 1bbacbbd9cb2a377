"""The series of a live Dozor, by its query API."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

from dozor.cli.client import Client
from dozor.cli.outcome import Refused
from dozor.model.labels import Labels

_API: Final = "prometheus/api/v1"
_TIMEOUT: Final = "4s"
"""Of one query, so that Dozor says itself that it takes too long."""
_STEPS_AT_ONCE: Final = 500
"""So many steps are asked for at once: a query that is soon done keeps nobody else waiting."""


class LiveSeries:
    """Asks for series. Every call raises `CommandFailed` with a text for the user."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    def connect(cls, flags: Mapping[str, object]) -> Self:
        """Those of the Dozor that *flags* (`url`, `config`), the environment or `dozor.toml` name."""
        return cls(Client.connect(flags))

    def names(self) -> frozenset[str]:
        """The names of all series."""
        return frozenset(self._client.get(f"{_API}/label/__name__/values")["data"])

    def evaluate(
        self, expr: str, start: float, end: float, step: float
    ) -> list[tuple[Labels, list[tuple[float, float]]]]:
        """*expr* at *start* and every *step* seconds later, to *end*, in Unix seconds."""
        found: dict[Labels, list[tuple[float, float]]] = {}
        for first, last in _stretches(start, end, step):
            for series in self._range(expr, first, last, step):
                points = found.setdefault(Labels(series["metric"]), [])
                points += [(at, float(value)) for at, value in series["values"]]
        return list(found.items())

    def _range(self, expr: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        asked = {
            "query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}", "timeout": _TIMEOUT,
        }  # fmt: skip
        try:
            result: list[dict[str, Any]] = self._client.get(f"{_API}/query_range", asked)["data"]["result"]
        except Refused as error:
            raise Refused(f"Dozor cannot evaluate `{' '.join(expr.split())[:200]}`: {error}") from None
        return result


def _stretches(start: float, end: float, step: float) -> Iterator[tuple[float, float]]:
    """The whole span in parts, each from its first to its last step."""
    count = int((end - start) / step + 1e-9) + 1
    for place in range(0, count, _STEPS_AT_ONCE):
        yield start + place * step, start + (min(place + _STEPS_AT_ONCE, count) - 1) * step
