"""The sections of the overview below the alerts: pools, Redis, slow queries, HTTP, host."""

from collections.abc import Sequence
from typing import Final

from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import ago, bar, number, reasons, shape, sparkline, status_mark, table, tone
from dozor.dashboard.view import View
from dozor.overview import Sparkline, Status, TargetStatus
from dozor.overview.words import figure

_MOST_ROWS: Final = 20
_MOST_OF_ALL: Final = 1000

_ADD_ENGINE: Final = "dozor = Dozor(engine=engine)    # an Engine or an AsyncEngine\ndozor.install(app)"
_ADD_REDIS: Final = "dozor = Dozor(engine=engine, redis=redis_client)    # or a URL"
_ADD_HTTP: Final = "dozor.install(app)    # counts requests by route, errors, and how long they take"


# -- pools and Redis -----------------------------------------------------------------------------------------------


def _worst_first(targets: Sequence[TargetStatus]) -> list[TargetStatus]:
    return sorted(targets, key=lambda target: (-target.status.rank, target.name))


def _shown(view: View, targets: Sequence[TargetStatus]) -> list[TargetStatus]:
    """The worst of *targets*, or (nearly) all where everything is wanted."""
    return _worst_first(targets)[: _MOST_OF_ALL if view.everything else _MOST_ROWS]


def _others(view: View, targets: Sequence[TargetStatus], anchor: str) -> Html | None:
    """How many of *targets* are not shown, and the way to them. A script would take over what has no `plain`."""
    if len(targets) <= _MOST_ROWS:
        return None
    if view.everything:
        return el("p", el("a", f"Only the worst {_MOST_ROWS}", href=f"./?plain#{anchor}"), class_="hint")
    more = el("a", f"and {len(targets) - _MOST_ROWS} more", href=f"./?plain&all#{anchor}")
    return el("p", f"The worst {_MOST_ROWS}, ", more, ".", class_="hint")


def _named(target: TargetStatus) -> Html:
    worker = f"worker {target.worker}" if target.worker else None
    outside = "watched from outside" if target.outside else None
    also = ", ".join(part for part in (worker, outside) if part)
    return join(told(target.name, 120), el("small", also) if also else None)


def pools(view: View) -> Html:
    """Connection pools, why they are as they are, and who has their connections."""
    if not view.overview.pools:
        return _empty("No database is watched. Give Dozor your SQLAlchemy engine:", _ADD_ENGINE)
    heads = [
        ("Pool", ""),
        ("Status", ""),
        ("In use", "wide"),
        ("Idle", "num"),
        ("Overflow", "num"),
        ("Waiting", "num"),
        ("Gave up", "num"),
        ("Slow", "num"),
        ("Last 15 min", ""),
    ]
    rows = []
    for pool in _shown(view, view.overview.pools):
        own = pool.figures
        rows.append([
            _named(pool),
            status_mark(pool.status),
            _used(pool),
            number(own.get("db_pool_idle")),
            number(own.get("db_pool_overflow")),
            number(own.get("db_pool_waiting")),
            number(own.get("db_pool_timeouts_total")),
            number(own.get("db_pool_slow_queries_total")),
            sparkline(view.line("pool_utilization", pool=pool.name)),
        ])  # fmt: skip
    found = view.overview.pools
    drawn = table("Connection pools", heads, rows)
    return join(drawn, _others(view, found, "pools"), _target_reasons(found), _holders(view))


def _holders(view: View) -> Html | None:
    """Who has connections out: the question behind every exhausted pool."""
    held = [(record.name, holder) for record in view.connections for holder in record.holders]
    if not held:
        return None
    held.sort(key=lambda one: -one[1].held_seconds)
    rows = []
    for pool, holder in held[:_MOST_ROWS]:
        leaked = el("small", "leaked?", class_="critical") if holder.leaked else None
        rows.append([
            told(holder.who, 160),
            join(number(holder.held_seconds, "seconds"), leaked),
            told(holder.state or "-", 60),
            el("code", told(holder.place or "-", 200)),
            told(pool, 60),
        ])  # fmt: skip
    more = None
    if len(held) > len(rows):
        more = el("p", f"The {len(rows)} longest of {len(held)}; pool/holders in the API has more.", class_="hint")
    heads = [("Held by", ""), ("For", "num"), ("State", ""), ("Line of code", ""), ("Pool", "")]
    shown = table("Who has connections", heads, rows)
    return join(el("h3", "Who has connections now"), shown, more)


def _used(pool: TargetStatus) -> Html:
    out, capacity = pool.figures.get("db_pool_checked_out"), pool.figures.get("db_pool_capacity")
    if out is None:
        return number(None)
    if not capacity:
        return el("div", number(out), el("small", "no limit"), class_="gauge")
    said = f"{figure(out)} of {figure(capacity)}"
    share = out / capacity
    kind = tone(pool.status) if pool.status in {Status.WARNING, Status.CRITICAL} else "healthy"
    return el("div", el("span", said), bar(share, kind, f"{said} connections in use"), class_="gauge")


def _target_reasons(targets: Sequence[TargetStatus]) -> Html | None:
    said = [reason for target in _worst_first(targets) for reason in target.reasons]
    return reasons(said, limit=8)


def servers(view: View) -> Html:
    """Redis servers and their slow commands."""
    if not view.overview.servers:
        return _empty("No Redis is watched. Give Dozor your client or a URL:", _ADD_REDIS)
    heads = [
        ("Server", ""),
        ("Status", ""),
        ("Memory", "wide"),
        ("Hit rate", "num"),
        ("Operations/s", "num"),
        ("Clients", "num"),
        ("Blocked", "num"),
        ("Evicted", "num"),
        ("Last 15 min", ""),
    ]
    rows = []
    for server in _shown(view, view.overview.servers):
        own = server.figures
        rows.append([
            _named(server),
            status_mark(server.status),
            _memory(server),
            number(own.get("redis_hit_rate"), "percent"),
            number(own.get("redis_operations_per_second")),
            number(own.get("redis_connected_clients")),
            number(own.get("redis_blocked_clients")),
            number(own.get("redis_evicted_keys_total")),
            sparkline(view.line("redis_operations", redis=server.name)),
        ])  # fmt: skip
    found = view.overview.servers
    drawn = table("Redis servers", heads, rows)
    return join(drawn, _others(view, found, "redis"), _target_reasons(found), _slow_commands(view))


def _memory(server: TargetStatus) -> Html:
    usage, limit = server.figures.get("redis_memory_usage"), server.figures.get("redis_memory_limit")
    if usage is None or not limit:
        return number(usage, "bytes")
    said = f"{figure(usage, 'bytes')} of {figure(limit, 'bytes')}"
    return el("div", el("span", said), bar(usage / limit, "healthy", f"{said} in use"), class_="gauge")


# -- evidence ------------------------------------------------------------------------------------------------------


def _statement(said: str) -> Html:
    """A statement in one line; the rest of a long one unfolds."""
    if len(said) <= 160:
        return el("code", told(said, 160))
    return el("details", el("summary", el("code", told(said, 140))), el("pre", told(said, 4000)))


def slow_queries(view: View) -> Html:
    """The newest statements that were slower than the threshold."""
    recent = view.slow_queries
    if not view.overview.pools:
        return el("p", "Statements are watched together with the pool that they go through.", class_="empty")
    if not recent.entries:
        return el("p", shape("healthy"), "No statement was slower than the threshold.", class_="empty good")
    heads = [("Statement", ""), ("Took", "num"), ("When", ""), ("Pool", ""), ("Sent by", "")]
    rows = []
    for entry in recent.entries[:_MOST_ROWS]:
        failed = el("small", "failed: ", told(entry.error or "", 80), class_="critical") if entry.failed else None
        rows.append([
            join(_statement(entry.statement), failed),
            number(entry.duration_seconds, "seconds"),
            ago(view.clock, entry.at, view.overview.at),
            told(entry.pool, 60),
            told(entry.caller, 120) if entry.caller else number(None),
        ])  # fmt: skip
    return join(table("Slow queries", heads, rows), _of_all(len(rows), recent.total, "pool/slow-queries"))


def _slow_commands(view: View) -> Html | None:
    recent = view.slow_commands
    if not recent.entries:
        return None
    heads = [("Command", ""), ("Took", "num"), ("When", ""), ("Server", ""), ("Client", "")]
    rows = [
        [
            join(el("code", told(entry.command, 120)), el("small", _arguments(entry.arguments))),
            number(entry.duration_seconds, "seconds"),
            ago(view.clock, entry.at, view.overview.at),
            told(redis, 60),
            told(entry.client_name or entry.client, 80),
        ]
        for redis, entry in recent.entries[:_MOST_ROWS]
    ]
    shown = join(table("Slow commands", heads, rows), _of_all(len(rows), recent.total, "redis/slow-log"))
    return join(el("h3", "Slow commands"), shown)


def _arguments(count: int) -> str:
    return f"and {count} {'argument' if count == 1 else 'arguments'}, not shown" if count else "without arguments"


def _of_all(shown: int, total: int, path: str) -> Html | None:
    if total <= shown:
        return None
    return el("p", f"The newest {shown} of {total:,} since start; {path} in the API has more.", class_="hint")


# -- HTTP, host ----------------------------------------------------------------------------------------------------


def _tile(title: str, value: float | None, unit: str = "", line: Sparkline | None = None) -> Html:
    return el("li", el("h3", title), el("p", number(value, unit), class_="figure"), sparkline(line), class_="card")


def http(view: View) -> Html:
    """What HTTP does now."""
    if not view.known.http_watched:
        return _empty("HTTP requests are not watched. The middleware comes with:", _ADD_HTTP)
    figures = view.http
    return el(
        "ul",
        _tile("Requests a second", figures.get("requests_per_second"), "", view.line("http_requests")),
        _tile("5xx answers a minute", figures.get("errors_per_minute"), "", view.line("http_errors")),
        _tile("In progress", figures.get("in_progress")),
        _tile("Half are faster than", figures.get("p50_seconds"), "seconds"),
        _tile("95 % are faster than", figures.get("p95_seconds"), "seconds"),
        class_="cards",
        aria_label="HTTP",
    )


def host(view: View) -> Html:
    """The machine, or the container, and this process."""
    figures = view.known.host
    tiles = [
        _tile("CPU", figures.get("host_cpu_utilization"), "percent", view.line("host_cpu")),
        _tile("Memory", figures.get("host_memory_utilization"), "percent", view.line("host_memory")),
    ]
    disks = {name: value for name, value in figures.items() if name.startswith("host_disk_utilization")}
    if disks:
        tiles.append(_tile("Fullest disk", max(disks.values()), "percent"))
    if "event_loop_lag_seconds" in figures:
        lag = figures["event_loop_lag_seconds"]
        tiles.append(_tile("Event loop lag", lag, "seconds", view.line("event_loop_lag")))
    if "process_resident_memory_bytes" in figures:
        tiles.append(_tile("This process", figures["process_resident_memory_bytes"], "bytes"))
    return el("ul", *tiles, class_="cards", aria_label="Host and process")


def _empty(said: str, code: str) -> Html:
    return el("div", el("p", said), el("pre", el("code", code), tabindex="0"), class_="empty teach")
