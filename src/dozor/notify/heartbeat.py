"""A dead man's switch: an address outside is asked again and again while rules are being evaluated.

Whoever watches that address raises the alarm when Dozor falls silent: killed, hung, or alive with an evaluation that
stands still.
"""

import logging
from collections.abc import Iterable
from typing import Literal

from dozor.clock import Clock
from dozor.metrics import Children, Counter
from dozor.model.sample import Family, MetricType, Sample
from dozor.notify.http import ExchangeFailed, HttpReceiver

logger = logging.getLogger("dozor.notify")


class Heartbeat:
    """Asks *url* every *interval_seconds*, as long as the last evaluation is at most *stale_after_seconds* old."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        interval_seconds: float = 60.0,
        stale_after_seconds: float = 10.0,
        method: Literal["GET", "POST"] = "GET",
        timeout_seconds: float = 10.0,
    ) -> None:
        self._http = HttpReceiver(url, key="DOZOR_HEARTBEAT_URL", timeout_seconds=timeout_seconds)
        self._clock, self._method = clock, method
        self._interval_seconds, self._stale_after_seconds = interval_seconds, stale_after_seconds
        self._next_at = 0.0
        self._failing = False
        self._beats = Children(("result",), Counter)

    def __repr__(self) -> str:
        return f"Heartbeat({self._http.shown})"

    async def beat(self, evaluated_at: float | None) -> bool:
        """Ask the address if it is time to, and rules were last evaluated at *evaluated_at*; whether it was reached.

        Call it often, from a task of its own: it may wait for the address, and it never raises for it.
        """
        at = self._clock.timestamp()
        if at < self._next_at or evaluated_at is None or at - evaluated_at > self._stale_after_seconds:
            return False
        self._next_at = at + self._interval_seconds
        try:
            reply = await self._http.exchange(self._method, content=b"" if self._method == "POST" else None)
            problem = None if 200 <= reply.status < 300 else f"{self._http.shown} answered {reply.status}"
        except ExchangeFailed as error:
            problem = str(error)
        self._note(problem)
        return problem is None

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    def families(self) -> Iterable[Family]:
        """How often the address was reached, and how often not."""
        samples = [Sample("dozor_heartbeats_total", labels, beats.value) for labels, beats in self._beats.items()]
        if samples:
            yield Family(
                "dozor_heartbeats_total",
                MetricType.COUNTER,
                "Requests to the heartbeat URL, by result.",
                "requests",
                tuple(samples),
            )

    def _note(self, problem: str | None) -> None:
        self._beats.get("failed" if problem else "sent").inc()
        if problem and not self._failing:
            logger.warning("the heartbeat is not received: %s", problem)
        elif self._failing and not problem:
            logger.warning("the heartbeat is received again")
        self._failing = problem is not None
