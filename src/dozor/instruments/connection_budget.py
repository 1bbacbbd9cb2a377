"""Whether a database server takes all the connections that the application may open: workers times size and overflow of its pools."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import URL

from dozor.instruments.server_capacity import ServerCapacity
from dozor.instruments.workers import Workers
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

logger = logging.getLogger("dozor")

_POSTGRES_PORT: Final = 5432
_METRICS: Final = {
    "db_connection_budget_planned": "Connections that all workers together may open: size and overflow of their pools.",
    "db_connection_budget_available": "Connections that the server has for them: its limit without what is reserved and what others use.",
    "db_connection_budget_others": "Connections to the server that are known to be none of this application's.",
}


class PoolClaim(Struct, frozen=True):
    """What one pool may take of its server, as far as that is known.

    Attributes:
        url: of the server.
        size, overflow: what the pool keeps open, and how many more it opens; None: no limit.
        open: connections that it has open now.
        capacity: of the server; None: not known (yet).
    """

    pool: str
    url: URL
    size: int | None
    overflow: int | None
    open: int
    capacity: ServerCapacity | None


class ServerBudget(Struct, frozen=True):
    """What is planned for one server against what it has; *working* says how that comes about."""

    server: str
    planned: int
    available: int
    others: int
    working: str

    @property
    def exceeded(self) -> bool:
        """Whether more may be opened than there is room for."""
        return self.planned > self.available


class ConnectionBudget:
    """Adds up what is claimed of each server. Says once in the log where that is too much.

    Args:
        claims: asked for what the pools claim now.
        workers: how many processes have the same pools.
    """

    name = "connection_budget"
    at_once = True

    def __init__(self, claims: Callable[[], Sequence[PoolClaim]], workers: Workers) -> None:
        self._claims, self._workers = claims, workers
        self._told: set[str] = set()
        self._budgets: tuple[ServerBudget, ...] = ()

    async def refresh(self) -> None:
        """Add up anew."""
        by_server: dict[str, list[PoolClaim]] = {}
        for claim in self._claims():
            by_server.setdefault(_server(claim.url), []).append(claim)
        found = (budget_of(server, claims, self._workers) for server, claims in by_server.items())
        self._budgets = tuple(budget for budget in found if budget is not None)
        for budget in self._budgets:
            if budget.exceeded and budget.server not in self._told:
                self._told.add(budget.server)
                logger.warning("connections to %s: %s", budget.server, budget.working)

    def budgets(self) -> tuple[ServerBudget, ...]:
        """One for each server of which enough is known."""
        return self._budgets

    def families(self) -> list[Family]:
        """`db_connection_budget_…` by the label `server`."""
        rows = [
            (Labels(server=budget.server), (budget.planned, budget.available, budget.others))
            for budget in self._budgets
        ]
        return [
            Family(
                name,
                MetricType.GAUGE,
                text,
                "connections",
                tuple(Sample(name, labels, float(values[index])) for labels, values in rows),
            )
            for index, (name, text) in enumerate(_METRICS.items())
        ]


_REMEDY: Final = "Make pools or workers fewer, raise max_connections, or put PgBouncer in between"


def budget_of(server: str, claims: Sequence[PoolClaim], workers: Workers) -> ServerBudget | None:
    """The budget of one server. None: it is unknown, or something stands between (another port answers, as PgBouncer's does)."""
    capacity = next((claim.capacity for claim in claims if claim.capacity is not None), None)
    if capacity is None or any(claim.size is None or claim.overflow is None for claim in claims):
        return None
    port = claims[0].url.port or _POSTGRES_PORT
    if capacity.port is not None and capacity.port != port:
        return None
    each = sum((claim.size or 0) + (claim.overflow or 0) for claim in claims)
    planned = each * workers.count
    # One is Dozor's own. The other workers may have open what they are entitled to; more than that is somebody else's.
    ours = sum(claim.open for claim in claims) + 1 + (workers.count - 1) * (each + 1)
    others = max(0, capacity.in_use - ours)
    available = capacity.ordinary - others
    sizes = " + ".join(f"{claim.size} + {claim.overflow} (pool {claim.pool})" for claim in claims)
    plural = "worker" if workers.count == 1 else "workers"
    judged = "more than" if planned > available else "within"
    limits = f"max_connections {capacity.most}, less {capacity.reserved} reserved, less {others} that others have"
    working = (
        f"{workers.count} {plural} ({workers.source}) x ({sizes}) = {planned} connections may be opened, {judged} the "
        f"{available} that there are: {limits}"
    )
    if planned > available:
        working += f". {_REMEDY}"
    return ServerBudget(server, planned, available, others, working)


def _server(url: URL) -> str:
    return f"{url.host or 'localhost'}:{url.port or _POSTGRES_PORT}"
