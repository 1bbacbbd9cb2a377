"""The application's own redis-py client: what its commands take, how they fail, who waits for a connection."""

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from dozor.clock import Clock
from dozor.containment import contained, report
from dozor.instruments.query_caller import find_caller
from dozor.instruments.redis_client_calls import ClientCalls, Done
from dozor.instruments.redis_client_pool import POOL_METRICS, cluster_figures, is_cluster, pool_figures, together
from dozor.instruments.work import current_work
from dozor.metrics import Children, Counter, Histogram
from dozor.metrics.instruments import FOLD_AT, OTHER
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

COMMAND_BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
COMMANDS: Final = 50
"""How many commands have a histogram of their own; the rest shares one."""
SLOW_SECONDS: Final = 0.01
"""From when on a call is kept with whom it was for; as long as a server's slow log waits unless told otherwise."""

_ERRORS: Final = 30
_SLOW_KEPT: Final = 500
_KNOWN: Final = 500
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,31}( [A-Za-z][A-Za-z0-9-]{0,31})?")
# They wait for something to happen: that takes what it takes, and is nobody's fault.
_BLOCKING: Final = frozenset(
    {"BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD", "XREADGROUP"}
    | {"WAIT", "WAITAOF"}
)


class SlowCall(Struct, frozen=True):
    """A call of the application's client that took long, seen from the application.

    Attributes:
        at: when it ended, in Unix seconds.
        command: its name without arguments, or `PIPELINE`.
        duration_seconds: with waiting for a connection, the network, and what was sent before it.
        work: the request that it was for, such as `GET /orders/{id}`; None outside of one.
        caller: the application's line, such as `shop.py:88 in list_orders`; None where there is none.
    """

    at: float
    command: str
    duration_seconds: float
    work: str | None
    caller: str | None


class RedisClientMonitor:
    """Watches one client that the application uses, sync or async; sends nothing.

    `attach`, `detach` and everything that reads are safe in any thread.

    Args:
        redis_name: the label `redis`.
        client: a `Redis` or `RedisCluster`, sync or async; one that sentinels lead to its server too.
        clock: dates slow calls.
        timer: monotonic seconds, for the hot path.
    """

    counts_from_zero = True
    at_once = True

    def __init__(
        self, redis_name: str, client: Any, clock: Clock, *, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self.redis_name, self.name = redis_name, f"redis_client:{redis_name}"
        self._client, self._clock, self._timer = client, clock, timer
        self._labels = Labels(redis=redis_name)
        self._commands = Children(("command",), lambda: Histogram(COMMAND_BOUNDS), base=self._labels, limit=COMMANDS)
        self._errors = Children(("error",), Counter, base=self._labels, limit=_ERRORS)
        self._known: dict[Any, Histogram] = {}
        self._slow: deque[SlowCall] = deque(maxlen=_SLOW_KEPT)
        self._calls: ClientCalls | None = None

    def attach(self) -> None:
        """Time its commands from now on."""
        if self._calls is None:
            with contained("redis_client.attach"):
                self._calls = ClientCalls(self._client, self._timer, self._counting(), self._failed)

    def detach(self) -> None:
        """Leave the client as it was found."""
        if self._calls is not None:
            self._calls.remove()
            self._calls = None

    async def refresh(self) -> None:
        """There is nothing to ask for: calls are counted as they end, and the pool is read when it is shown."""

    def families(self) -> list[Family]:
        """The `redis_client_…` metrics."""
        pools = {self._labels.with_({"node": node}): one for node, one in self.pools().items()}
        if not pools:
            pools = {self._labels: self.figures()}
        families = [
            Family(name, kind, text, unit, shown)
            for name, (kind, unit, text) in POOL_METRICS.items()
            if (shown := tuple(Sample(name, labels, one[name]) for labels, one in pools.items() if name in one))
        ]
        name = "redis_client_command_seconds"
        samples = [sample for labels, one in self._commands.items() for sample in one.samples(name, labels)]
        if samples:
            text = "Time of a command as the application sees it, in seconds."
            families.append(Family(name, MetricType.HISTOGRAM, text, "seconds", tuple(samples)))
        name = "redis_client_errors_total"
        errors = tuple(Sample(name, labels, counter.value) for labels, counter in self._errors.items())
        if errors:
            families.append(
                Family(name, MetricType.COUNTER, "Calls that raised, by the error's class.", "calls", errors)
            )
        return families

    def figures(self) -> Mapping[str, float]:
        """The figures of the client's pool, or of all together, by metric name; what is unknown is absent."""
        if is_cluster(self._client):
            return together(self.pools().values())
        try:
            return pool_figures(self._client)
        except Exception:  # noqa: BLE001 - a pool of somebody's own making; what it cannot say is unknown
            report("redis_client.pool")
            return {}

    def pools(self) -> Mapping[str, Mapping[str, float]]:
        """The figures of the pools of a cluster's client by node; empty for any other."""
        if not is_cluster(self._client):
            return {}
        try:
            return cluster_figures(self._client)
        except Exception:  # noqa: BLE001 - see above
            report("redis_client.pool")
            return {}

    def slow_calls(self) -> list[SlowCall]:
        """The last calls that took 10 ms and longer, newest first; without those that wait by design."""
        return [*reversed(self._slow.copy())]

    def _counting(self) -> Done:
        """What is told of each call; a closure, since a look-up on an object costs more than one in a cell."""
        timer, known, find, note, work_of = self._timer, self._known, self._histogram, self._note, current_work.get

        def done(began: float, name: Any, commands: int) -> None:
            taken = timer() - began
            try:
                histogram = known[name]
            except (KeyError, TypeError):
                histogram = find(name)
            histogram.append(taken)
            if len(histogram.pending) > FOLD_AT:
                histogram.fold()
            work = work_of()
            if work is not None:
                work.redis_seconds += taken
                work.redis_commands += commands
            if taken >= SLOW_SECONDS:
                note(name, taken)

        return done

    def _histogram(self, name: Any) -> Histogram:
        try:
            found = self._commands.get(command_name(name))
            if isinstance(name, (str, bytes)) and len(self._known) < _KNOWN:
                self._known[name] = found
        except Exception:  # noqa: BLE001 - whatever an application calls a command, its call goes on
            report("redis_client.command")
            return Histogram(COMMAND_BOUNDS)
        return found

    def _note(self, name: Any, taken: float) -> None:
        try:
            command = command_name(name)
            if command not in _BLOCKING:
                work = current_work.get()
                who = work.name if work is not None else None
                self._slow.append(SlowCall(self._clock.timestamp(), command, taken, who or None, find_caller()))
        except Exception:  # noqa: BLE001 - see above
            report("redis_client.slow")

    def _failed(self, error: Exception) -> None:
        try:
            self._errors.get(type(error).__name__).inc()
        except Exception:  # noqa: BLE001 - see above
            report("redis_client.error")


def command_name(given: Any) -> str:
    """What a command is called, from the first thing given to `execute_command`; `other` if that is no name."""
    text = given.decode("ascii", "replace") if isinstance(given, bytes) else given
    return text.upper() if isinstance(text, str) and _NAME.fullmatch(text) else OTHER
