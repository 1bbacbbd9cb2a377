"""Statuses and their reasons. Pure: the same knowledge at the same moment gives the same judgement.

A threshold is written once, in a rule; so a status is the worst severity among the rules that fire, or whose condition
holds, for the thing in question. What no rule can know is added here: a server that does not answer now, a figure that
is too old, a pool that has no bound.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Final, NamedTuple

from msgspec.structs import replace

from dozor.model.alert import Alert, AlertState, Severity
from dozor.overview.records import (
    ComponentStatus,
    Known,
    Overview,
    PoolReading,
    RedisReading,
    Status,
    TargetStatus,
)
from dozor.overview.words import duration

COMPONENTS: Final = ("database", "redis", "http", "host", "dozor")
MOST_REASONS: Final = 20
"""Of more than these a list of reasons says only how many more there are: nobody reads them, and a storm has thousands."""

_STATUS_OF: Final = {
    Severity.INFO: Status.HEALTHY,
    Severity.WARNING: Status.WARNING,
    Severity.CRITICAL: Status.CRITICAL,
    Severity.EMERGENCY: Status.CRITICAL,
}
_MILDNESS: Final = {severity: -rank for rank, severity in enumerate(Severity)}
_COMPONENT_OF_COLLECTOR: Final = {
    "pool": "database",
    "database": "database",
    "redis": "redis",
    "host": "host",
    "http": "http",
}
_COMPONENT_OF_RULE: Final = {
    "HttpErrorsHigh": "http",
    "HttpRequestsSlow": "http",
    "TooManyActiveAlerts": "dozor",
    "MonitoringStale": "dozor",
}
_COMPONENT_OF_LABEL: Final = {"database": "database", "redis": "redis", "system": "host", "business": "http"}

WHOLES: Final = frozenset({"cluster", "service"})
"""The roles of what is several servers."""
_NO_POOL: Final = (
    "No database is watched. Give Dozor your SQLAlchemy engine, Dozor(engine=engine), or start the agent with "
    "--database-url."
)
_NO_REDIS: Final = (
    "No Redis is watched. Give Dozor your client or a URL, Dozor(redis=client), or start the agent with --redis-url."
)
_NO_HTTP: Final = "No HTTP requests are watched. dozor.install(app) adds the middleware that counts them."


def assess(known: Known, at: float) -> Overview:
    """The judgement on what is *known*, at the moment *at*. Takes some tens of microseconds; any thread."""
    by_target = _by_target(known.alerts)
    pools = tuple(_pool(pool, by_target.get(("pool", pool.name), ()), known, at) for pool in known.pools)
    servers = tuple(_server(server, by_target.get(("redis", server.name), ()), known, at) for server in known.servers)
    components = {
        "database": _targets(pools, _loose(by_target, "database", pools), _NO_POOL, at),
        "redis": _targets(servers, _loose(by_target, "redis", servers), _NO_REDIS, at),
        "http": _http(known, by_target.get(("http", ""), ()), at),
        "host": _from_alerts(by_target.get(("host", ""), ()), at),
        "dozor": _dozor(known, by_target.get(("dozor", ""), ()), at),
    }
    status = _overall(components, pools)
    return Overview(
        at=at,
        status=status,
        reasons=_few(_overall_reasons(components, status)),
        components={name: replace(one, reasons=_few(one.reasons)) for name, one in components.items()},
        pools=tuple(replace(pool, reasons=_few(pool.reasons)) for pool in pools),
        servers=tuple(replace(server, reasons=_few(server.reasons)) for server in servers),
        alerts=tuple(sorted((alert for alert in known.alerts if alert.firing), key=urgency)),
        unready=_few(_unready(known, pools, servers)),
    )


def _few(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """The first *reasons*, which are the worst, and how many more there are."""
    if len(reasons) <= MOST_REASONS:
        return reasons
    return (*reasons[:MOST_REASONS], f"and {len(reasons) - MOST_REASONS} more")


class Urgency(NamedTuple):
    """A sort key: what needs somebody now comes first, then the worse, then the newer."""

    pending: bool
    quiet: bool
    mildness: int
    age: float
    id: str


def urgency(alert: Alert) -> Urgency:
    """Where *alert* stands in a list."""
    quiet = alert.state in {AlertState.ACKNOWLEDGED, AlertState.SILENCED} or bool(alert.inhibited_by)
    since = alert.fired_at if alert.fired_at is not None else alert.active_at
    return Urgency(alert.fired_at is None, quiet, _MILDNESS[alert.severity], -since, alert.id)


# -- alerts to targets ---------------------------------------------------------------------------------------------


def _by_target(alerts: Iterable[Alert]) -> Mapping[tuple[str, str], tuple[Alert, ...]]:
    """*alerts* that fire or whose condition holds, by ("pool" | "redis", name) or (component, "")."""
    found: defaultdict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in sorted(alerts, key=lambda one: (_MILDNESS[one.severity], one.fired_at is None, one.active_at)):
        if alert.state is AlertState.RESOLVED or not (alert.firing or alert.holds):
            continue
        found[target_of(alert)].append(alert)
    return {target: tuple(alerts) for target, alerts in found.items()}


def target_of(alert: Alert) -> tuple[str, str]:
    """What *alert* is about: ("pool", name), ("redis", name), or (component, "")."""
    labels = alert.labels
    for kind in ("pool", "redis"):
        if labels.get(kind):
            return kind, labels[kind]
    collector, _, name = labels.get("collector").partition(":")
    if collector:
        if name and collector in {"pool", "database", "queries", "statistics", "redis"}:
            return ("redis" if collector == "redis" else "pool"), name
        return _COMPONENT_OF_COLLECTOR.get(collector, "dozor"), ""
    if alert.rule in _COMPONENT_OF_RULE:
        return _COMPONENT_OF_RULE[alert.rule], ""
    if labels.get("route"):
        return "http", ""
    return _COMPONENT_OF_LABEL.get(alert.component, "dozor"), ""


def _loose(
    by_target: Mapping[tuple[str, str], tuple[Alert, ...]], component: str, targets: Iterable[TargetStatus]
) -> tuple[Alert, ...]:
    """The alerts of *component* that belong to none of its *targets*: rules over all of them, targets since removed."""
    kind = "pool" if component == "database" else "redis"
    names = {target.name for target in targets}
    alerts = by_target.get((component, ""), ()) if component != kind else ()
    for (target_kind, name), found in by_target.items():
        if target_kind == kind and name not in names:
            alerts += found
    return alerts


def _sentence(alert: Alert, at: float) -> str:
    said = alert.annotations.get("summary") or alert.annotations.get("description") or str(alert.labels)
    said = said.rstrip(". ")
    if alert.fired_at is None:
        return f"{said} ({alert.rule}, for {duration(at - alert.active_at)} and not long enough to fire yet)."
    state = {AlertState.ACKNOWLEDGED: ", acknowledged", AlertState.SILENCED: ", silenced"}.get(alert.state, "")
    tail = "" if alert.holds else ", already better but not for long enough"
    missing = ", no data now" if alert.no_data else ""
    return f"{said} ({alert.rule}, firing for {duration(at - alert.fired_at)}{state}{missing or tail})."


def _worst(statuses: Iterable[Status]) -> Status:
    return max(statuses, key=lambda status: status.rank, default=Status.HEALTHY)


# -- targets -------------------------------------------------------------------------------------------------------


def _fresh(collected_at: float | None, known: Known, at: float) -> bool:
    return collected_at is not None and at - collected_at <= max(3 * known.interval_seconds, 5.0)


def _pool(pool: PoolReading, alerts: tuple[Alert, ...], known: Known, at: float) -> TargetStatus:
    statuses = [_STATUS_OF[alert.severity] for alert in alerts]
    reasons = [_sentence(alert, at) for alert in alerts]
    limited = False
    if pool.up is False:
        statuses.append(Status.CRITICAL)
        reasons.insert(0, _because(f"The database behind pool {pool.name} does not answer.", pool.failure, pool.hint))
    if not _fresh(pool.collected_at, known, at):
        statuses.append(Status.UNKNOWN)
        reasons.append(_age("Pool", pool.name, pool.collected_at, at))
    elif "db_pool_utilization" not in pool.figures:
        limited = True
        statuses.append(Status.UNKNOWN)
        reasons += [] if pool.notes else [_unlimited(pool)]
    return TargetStatus(
        name=pool.name,
        status=_worst(statuses),
        reasons=(*reasons, *(f"Pool {pool.name}: {_sentence_of(note)}" for note in pool.notes)),
        figures=pool.figures,
        checked_at=pool.collected_at,
        worker=pool.worker,
        outside=pool.outside,
        limited=limited,
    )


def _unlimited(pool: PoolReading) -> str:
    kind = pool.kind or "this pool"
    if pool.kind in {"QueuePool", "AsyncAdaptedQueuePool"}:
        return f"Utilisation of pool {pool.name} is unknown: it may grow without limit, so there is nothing to fill."
    return f"Utilisation of pool {pool.name} is unknown: {kind} has no fixed number of connections."


def _server(server: RedisReading, alerts: tuple[Alert, ...], known: Known, at: float) -> TargetStatus:
    statuses = [_STATUS_OF[alert.severity] for alert in alerts]
    reasons = [_sentence(alert, at) for alert in alerts]
    if server.connected is None or (server.collected_at is None and not server.connected):
        statuses.append(Status.DISCONNECTED)
        what = f"Redis {server.name} has not been reached yet."
        reasons.insert(0, _because(what, server.failure, server.hint))
    elif not server.connected:
        statuses.append(Status.DISCONNECTED)
        what = f"Redis {server.name} does not answer."
        if server.collected_at is not None:
            what = f"Redis {server.name} does not answer, last answer {duration(at - server.collected_at)} ago."
        reasons.insert(0, _because(what, server.failure, server.hint))
    elif server.failure:
        statuses.append(Status.WARNING)
        what = f"Redis {server.name} answers with an error."
        if server.role in WHOLES:
            what = f"Redis {server.name} does not tell which servers it consists of."
        reasons.insert(0, _because(what, server.failure, server.hint))
    elif not _fresh(server.collected_at, known, at):
        statuses.append(Status.WARNING)
        reasons.append(_age("Redis", server.name, server.collected_at, at))
    return TargetStatus(
        name=server.name,
        status=_worst(statuses),
        reasons=(*reasons, *server.notes),
        figures=server.figures,
        checked_at=server.collected_at,
        role=server.role,
        part_of=server.part_of,
    )


def _because(what: str, failure: str | None, hint: str | None) -> str:
    """*what*, a sentence, and what to do, as the instrument says it, or at least the kind of the failure."""
    if hint:
        return f"{what} {_sentence_of(hint)}"
    why = f"The failure: {failure}."
    return f"{what} {why}" if failure else what


def _sentence_of(said: str) -> str:
    said = f"{said[:1].upper()}{said[1:]}"
    return said if said.endswith((".", "?", "!")) else f"{said}."


def _age(what: str, name: str, collected_at: float | None, at: float) -> str:
    if collected_at is None:
        return f"{what} {name} has not been read yet."
    return f"{what} {name} was last read {duration(at - collected_at)} ago, so its figures may no longer be true."


# -- components ----------------------------------------------------------------------------------------------------


def _targets(
    targets: tuple[TargetStatus, ...], loose: tuple[Alert, ...], how_to_add: str, at: float
) -> ComponentStatus:
    reasons = [reason for target in sorted(targets, key=lambda one: -one.status.rank) for reason in target.reasons]
    reasons += [_sentence(alert, at) for alert in loose]
    # One node that is away is not the whole.
    statuses = [Status.CRITICAL if one.part_of and one.status is Status.DISCONNECTED else one.status for one in targets]
    statuses += [_STATUS_OF[alert.severity] for alert in loose]
    if not statuses:
        return ComponentStatus(None, (how_to_add,))
    return ComponentStatus(_worst(statuses), tuple(reasons))


def _from_alerts(alerts: tuple[Alert, ...], at: float) -> ComponentStatus:
    status = _worst(_STATUS_OF[alert.severity] for alert in alerts)
    return ComponentStatus(status, tuple(_sentence(alert, at) for alert in alerts))


def _http(known: Known, alerts: tuple[Alert, ...], at: float) -> ComponentStatus:
    if not alerts and not known.http_watched:
        return ComponentStatus(None, (_NO_HTTP,))
    return _from_alerts(alerts, at)


def _dozor(known: Known, alerts: tuple[Alert, ...], at: float) -> ComponentStatus:
    judged = _from_alerts(alerts, at)
    if not known.complaints:
        return judged
    statuses = (judged.status or Status.HEALTHY, Status.WARNING)
    return ComponentStatus(_worst(statuses), judged.reasons + known.complaints)


def _overall(components: Mapping[str, ComponentStatus], pools: tuple[TargetStatus, ...]) -> Status:
    """The worst of the components; DISCONNECTED counts as CRITICAL. A pool without a bound is not a trouble of the whole."""
    by_nature = all(pool.limited for pool in pools if pool.status is Status.UNKNOWN)
    statuses = []
    for component in components.values():
        if component.status is Status.DISCONNECTED:
            statuses.append(Status.CRITICAL)
        elif component.status is not None and not (component.status is Status.UNKNOWN and by_nature):
            statuses.append(component.status)
    return _worst(statuses)


def _overall_reasons(components: Mapping[str, ComponentStatus], status: Status) -> tuple[str, ...]:
    """The reasons of what is not healthy, the worst first; where all is, what is worth knowing all the same."""
    quiet = {None} if status is Status.HEALTHY else {None, Status.HEALTHY}
    telling = [component for component in components.values() if component.status not in quiet]
    telling.sort(key=lambda component: -(component.status or Status.HEALTHY).rank)
    # The first of each before the second of any, so that one troubled part does not push the others out of sight.
    columns = zip_longest(*(component.reasons for component in telling))
    return tuple(reason for column in columns for reason in column if reason is not None)


# -- readiness -----------------------------------------------------------------------------------------------------


def _unready(known: Known, pools: tuple[TargetStatus, ...], servers: tuple[TargetStatus, ...]) -> tuple[str, ...]:
    """Why `/readyz` says no: a required dependency is down, or has a critical alert that fires (not one that pends)."""
    reasons = list(known.not_ready)
    firing = {target_of(alert): alert for alert in known.alerts if alert.firing and alert.severity >= Severity.CRITICAL}
    down = {pool.name for pool in known.pools if pool.up is False}
    for pool in pools:
        if pool.outside or not _required(known, "pool", pool.name):
            continue
        if pool.name in down:
            reasons.append(f"The database behind pool {pool.name} does not answer.")
        elif alert := firing.get(("pool", pool.name)):
            reasons.append(f"{alert.rule} fires for pool {pool.name}.")
    for server in servers:
        if server.part_of is not None or not _required(known, "redis", server.name):
            continue
        if server.status is Status.DISCONNECTED:
            reasons.append(f"Redis {server.name} is disconnected.")
        elif alert := firing.get(("redis", server.name)):
            reasons.append(f"{alert.rule} fires for Redis {server.name}.")
    return tuple(reasons)


def _required(known: Known, kind: str, name: str) -> bool:
    """A name alone means every dependency of that name; `pool:NAME` and `redis:NAME` mean one."""
    return known.required is None or name in known.required or f"{kind}:{name}" in known.required
