"""All that one page shows, gathered before it is drawn."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dozor.clock import Clock
from dozor.instruments.query_slow import SlowQuery
from dozor.overview import Known, Overview, PoolConnections, Recent, ServerCommand, Sparkline


class View(Struct, frozen=True):
    """All that one page shows. *everything*: long tables in full, and not their worst rows alone."""

    overview: Overview
    known: Known
    clock: Clock
    http: Mapping[str, float]
    sparklines: Sequence[Sparkline]
    slow_queries: Recent[SlowQuery]
    slow_commands: Recent[ServerCommand]
    connections: Sequence[PoolConnections] = ()
    said: str | None = None
    refreshes: bool = True
    everything: bool = False
    docs: bool = False

    def line(self, key: str, **labels: str) -> Sparkline | None:
        """The sparkline *key* of what has *labels*."""
        return next(
            (
                line
                for line in self.sparklines
                if line.key == key and all(line.labels.get(name) == value for name, value in labels.items())
            ),
            None,
        )
