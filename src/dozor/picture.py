"""What is known now, in one immutable record, and what was known of an alert when it fired."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from msgspec import Struct, to_builtins

from dozor.instruments.host_monitor import HostMonitor
from dozor.instruments.redis_view import MOST_NODES
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.alert import Alert
from dozor.model.labels import Labels
from dozor.model.silence import Silence
from dozor.overview import Known, PoolReading, RedisReading
from dozor.overview.redis_topology import role_of
from dozor.targets import Targets, WatchedPool

if TYPE_CHECKING:
    from dozor.instruments.redis_group import RedisGroup
    from dozor.instruments.redis_monitor import RedisMonitor

_STALLS_SECONDS: Final = 120.0
_EVIDENCE_ENTRIES: Final = 10


class Circumstances(Struct, frozen=True):
    """What does not change while a session lasts."""

    name: str = ""
    environment: str | None = None
    started_at: float | None = None
    receivers: tuple[str, ...] = ()
    http_watched: bool = False


@dataclass(slots=True)
class Picture:
    """Gathers what the instruments know. `look` belongs on Dozor's loop; `known` may be read in any thread."""

    targets: Targets
    host: HostMonitor
    process: RuntimeMonitor
    interval_seconds: float
    required: frozenset[str] | None = None
    known: Known = field(init=False)
    _answered: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.blank()

    def blank(self) -> None:
        """Nothing has been looked at yet, though it is known what there is to look at."""
        self.known = Known(
            interval_seconds=self.interval_seconds,
            pools=tuple(
                PoolReading(name, {}, None, kind=watched.pool.kind, outside=watched.outside)
                for name, watched in self.targets.pools.items()
            ),
            servers=tuple(RedisReading(name, {}, None) for name in (*self.targets.redis_groups, *self.targets.redis)),
            required=self.required,
        )

    def look(
        self,
        at: float,
        alerts: Iterable[Alert],
        silences: Iterable[Silence],
        complaints: Iterable[str],
        circumstances: Circumstances,
    ) -> None:
        """Make the record anew, as of *at*."""
        watched: dict[str, RedisGroup | RedisMonitor] = {**self.targets.redis_groups, **self.targets.redis}
        self._answered = {
            name: at if monitor.connected else self._answered[name]
            for name, monitor in watched.items()
            if monitor.connected or name in self._answered
        }
        self.known = Known(
            interval_seconds=self.interval_seconds,
            pools=tuple(_pool_reading(watched) for watched in self.targets.pools.values()),
            servers=(
                *map(self._group_reading, self.targets.redis_groups),
                *map(self._redis_reading, self.targets.redis),
            ),
            alerts=tuple(alerts),
            silences={silence.id: silence for silence in silences},
            http_watched=circumstances.http_watched,
            host={**self.host.figures(), **_disk_figures(self.host), **self.process.figures()},
            complaints=tuple(complaints),
            required=self.required,
            name=circumstances.name,
            environment=circumstances.environment,
            started_at=circumstances.started_at,
            receivers=circumstances.receivers,
            looked_at=at,
        )

    def evidence(self, alert: Alert) -> Mapping[str, object]:
        """What explains *alert*, taken at the moment it fires: who holds connections, what was slow."""
        found: dict[str, object] = {}
        if (watched := self.targets.pools.get(alert.labels.get("pool"))) is not None:
            found["holders"] = [to_builtins(holder) for holder in watched.pool.holders()[:_EVIDENCE_ENTRIES]]
            if watched.queries is not None:
                found["slow_queries"] = [to_builtins(one) for one in watched.queries.slow_queries()[:_EVIDENCE_ENTRIES]]
        if (monitor := self.targets.redis.get(alert.labels.get("redis"))) is not None:
            found["slow_commands"] = [to_builtins(one) for one in monitor.slow_log()[:_EVIDENCE_ENTRIES]]
        if alert.component == "business" or "pool" in alert.labels:  # what requests suffer from
            since = alert.active_at - _STALLS_SECONDS
            stalls = [to_builtins(one) for one in self.process.stalls.all() if one.began_at >= since]
            found["stalls"] = stalls[:_EVIDENCE_ENTRIES]
        return {kind: entries for kind, entries in found.items() if entries}

    def _redis_reading(self, name: str) -> RedisReading:
        monitor = self.targets.redis[name]
        allowed = monitor.capabilities()
        # What else may be missing is told by redis/info: a status is no place for what many servers forbid by design.
        missing = [command.upper() for command in ("info", "slowlog") if allowed.get(command) is False]
        return RedisReading(
            name=name,
            figures=monitor.figures(),
            collected_at=self._answered.get(name),
            connected=monitor.connected,
            failure=monitor.failure,
            hint=monitor.hint,
            notes=tuple(
                f"Its ACL does not allow Dozor {command}, so what that tells is missing." for command in missing
            ),
            role=role_of(monitor.info()) or self._role_in_group(monitor),
            part_of=monitor.group,
        )

    def _role_in_group(self, monitor: "RedisMonitor") -> str:
        """What a node that does not answer is in the eyes of the others."""
        group = self.targets.redis_groups.get(monitor.group or "")
        node = group.node_of(monitor.redis_name) if group is not None else None
        return "" if node is None else node.role.value

    def _group_reading(self, name: str) -> RedisReading:
        group = self.targets.redis_groups[name]
        beyond = group.unwatched
        return RedisReading(
            name=name,
            figures=group.figures(),
            collected_at=self._answered.get(name),
            connected=group.connected,
            failure=group.failure,
            hint=group.hint,
            notes=(f"{beyond} more nodes are not watched: {MOST_NODES} are the most of one {group.kind}.",)
            if beyond
            else (),
            role="cluster" if group.kind == "cluster" else "service",
        )


def _disk_figures(host: HostMonitor) -> dict[str, float]:
    """Each file system's utilisation by the name of its series, since one metric name stands for all of them."""
    return {
        f"host_disk_utilization{Labels(mountpoint=mountpoint)}": percent for mountpoint, percent in host.disks().items()
    }


def _pool_reading(watched: WatchedPool) -> PoolReading:
    at, told = watched.pool.told()
    figures = dict(told)
    if watched.queries is not None:
        figures["db_pool_slow_queries_total"] = float(watched.queries.slow_total)
    return PoolReading(
        name=watched.name,
        figures=figures,
        collected_at=at,
        kind=watched.pool.kind,
        up=watched.server.up,
        failure=watched.server.failure,
        hint=watched.server.hint,
        outside=watched.outside,
        notes=tuple(watched.pool.health()),
    )
