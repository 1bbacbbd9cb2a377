"""What ties a metrics server to Dozor: who asks it in which thread, and what is said of it."""

import contextlib
from typing import Final

from dozor.clock import Clock
from dozor.instruments.side_thread import SideThread, StillBusyError
from dozor.remote.ahead import Ahead
from dozor.remote.merged import Listed, LocalStore, Merged
from dozor.remote.server import MetricsServer
from dozor.remote.source import RemoteStore

FETCH_SECONDS: Final = 15.0
"""How often what rules ask is fetched anew: as often as a Prometheus usually scrapes."""

_LONGEST_FETCH_SECONDS: Final = 60.0


class MetricsLink:
    """The server at *url* beside *local*. `step` and `close` belong to one event loop.

    Args:
        own: metrics that are Dozor's although no series may be there.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(self, url: str, local: LocalStore, clock: Clock, *, own: frozenset[str] = frozenset()) -> None:
        self._for_rules = RemoteStore(MetricsServer(url))
        self._for_people = RemoteStore(MetricsServer(url))
        self._ahead = Ahead(self._for_rules, clock.timestamp, FETCH_SECONDS)
        self._side = SideThread("dozor-metrics")
        self.rules = Merged(local, self._ahead, own)
        """What rules are evaluated over; it never waits."""
        self.queries = Listed(local, self._for_people, own)
        """What people's queries are evaluated over, in a thread that may wait."""

    @property
    def failure(self) -> str | None:
        """What kept the last fetch from getting everything; None: it got it."""
        return self._ahead.failure

    def begin(self, at: float) -> None:
        """An evaluation as of *at* (Unix seconds) begins."""
        self._ahead.begin(at)

    async def step(self) -> None:
        """Fetch what rules ask, if it is time to. What takes too long goes on in its thread, and nothing is begun beside it."""
        if self._ahead.due and not self._side.busy:
            with contextlib.suppress(TimeoutError, StillBusyError):
                await self._side.run(self._ahead.fetch, _LONGEST_FETCH_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        self._for_rules.close()
        self._for_people.close()
