"""What Dozor does in the application's own threads, so that its cost is known: at requests, checkouts and statements."""

from collections.abc import Iterator

from dozor.instruments import calibration
from dozor.instruments.middleware import HttpMonitor
from dozor.instruments.own_cost import HotPath
from dozor.targets import Targets, WatchedPool


def hot_paths(http: HttpMonitor | None, targets: Targets) -> Iterator[HotPath]:
    """Those of an application whose requests *http* counts, if it has any; pools may come and go."""
    if http is not None:
        yield HotPath("request", calibration.request_seconds, lambda: http.requests_total)

    def own() -> list[WatchedPool]:
        return [one for one in list(targets.pools.values()) if not one.outside]

    def checkouts() -> float | None:
        return sum(one.pool.checkouts_total for one in own()) if own() else None

    def statements() -> float | None:
        counting = [one.queries for one in own() if one.queries is not None]
        return sum(one.statements_total for one in counting) if counting else None

    yield HotPath("checkout", calibration.checkout_seconds, checkouts)
    yield HotPath("statement", calibration.statement_seconds, statements)
