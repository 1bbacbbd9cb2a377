"""The page without JavaScript: one verdict on top, then what leads to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dozor._version import __version__
from dozor.clock import Clock
from dozor.dashboard.alert_view import alert_list, pending_list
from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import ago, bar, number, reasons, shape, sparkline, status_mark, table, tone
from dozor.instruments.query_monitor import SlowQuery
from dozor.model.alert import Alert
from dozor.overview import (
    Known,
    Overview,
    PoolRecord,
    Recent,
    ServerCommand,
    Sparkline,
    Status,
    TargetStatus,
    urgency,
)
from dozor.overview.words import duration, figure

REFRESH_SECONDS: Final = 10
_MOST_ROWS: Final = 20
_NAMES: Final = {"database": "Database", "redis": "Redis", "http": "HTTP", "host": "Host", "dozor": "Dozor"}

_ADD_ENGINE: Final = "dozor = Dozor(engine=engine)    # an Engine or an AsyncEngine\ndozor.install(app)"
_ADD_REDIS: Final = "dozor = Dozor(engine=engine, redis=redis_client)    # or a URL"
_ADD_HTTP: Final = "dozor.install(app)    # counts requests by route, errors, and how long they take"


@dataclass(frozen=True, slots=True)
class View:
    """All that one page shows."""

    overview: Overview
    known: Known
    clock: Clock
    http: Mapping[str, float]
    sparklines: Sequence[Sparkline]
    slow_queries: Recent[SlowQuery]
    slow_commands: Recent[ServerCommand]
    pool_records: Sequence[PoolRecord] = ()
    said: str | None = None
    refreshes: bool = True
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


def document(
    title: str, body: Html, *, base: str, style: str, icon: str = "unknown", refresh: int | None = None
) -> str:
    """A whole document. *base* is the way from its address to the page's root (`./` or `../`)."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="robots", content="noindex"),
        el("meta", http_equiv="refresh", content=refresh) if refresh else None,
        el("title", title),
        el("link", rel="icon", type="image/svg+xml", href=f"{base}icon-{icon}.svg"),
        el("link", rel="stylesheet", href=f"{base}{style}"),
    )
    return f"<!doctype html>\n{el('html', head, el('body', body), lang='en')}\n"


def overview_page(view: View, *, style: str) -> str:
    """The page at the root."""
    overview, known = view.overview, view.known
    status = overview.status
    pending = [alert for alert in known.alerts if alert.fired_at is None and alert.resolved_at is None]
    body = join(
        _header(view),
        el(
            "main",
            el("p", view.said, class_="said", role="status") if view.said else None,
            _verdict(view),
            _components(view),
            _section("Alerts", _alerts(view, sorted(pending, key=urgency)), "alerts"),
            _section("Connection pools", _pools(view), "pools"),
            _section("Redis", _servers(view), "redis"),
            _section("Slow queries", _slow_queries(view), "queries"),
            _section("HTTP", _http(view), "http"),
            _section("Host and process", _host(view), "host"),
        ),
        _footer(view),
    )
    title = f"{status.value.capitalize()} · {_service(known)}"
    refresh = REFRESH_SECONDS if view.refreshes else None
    return document(title, body, base="./", style=style, icon=tone(status), refresh=refresh)


def _service(known: Known) -> str:
    return known.name[:80] or "this host"


def _section(title: str, content: Html, anchor: str) -> Html:
    return el("section", el("h2", title), content, id=anchor)


def _header(view: View) -> Html:
    known = view.known
    turn = (
        join(f"Refreshes every {REFRESH_SECONDS} s. ", el("a", "Hold still", href="./?refresh=off"))
        if view.refreshes
        else el("a", "Refresh by itself again", href="./")
    )
    return el(
        "header",
        el("p", el("strong", "Dozor"), " watches ", el("strong", told(_service(known), 80)), class_="who"),
        el("span", told(known.environment, 40), class_="environment") if known.environment else None,
        el("p", f"{view.clock.now():%Y-%m-%d %H:%M:%S} UTC. ", turn, class_="when"),
    )


def _verdict(view: View) -> Html:
    overview = view.overview
    return el(
        "section",
        shape(tone(overview.status)),
        el("div", el("h1", _headline(overview)), el("p", _watched(view), class_="dim"), reasons(overview.reasons)),
        class_=f"verdict {tone(overview.status)}",
        aria_label="Verdict",
    )


def _watched(view: View) -> str:
    """What the verdict rests on, and how fresh that is."""
    overview = view.overview
    things = [_count(len(overview.pools), "pool"), _count(len(overview.servers), "Redis server")]
    things += ["HTTP"] if view.known.http_watched else []
    read = [one.checked_at for one in (*overview.pools, *overview.servers) if one.checked_at is not None]
    age = f"; the oldest reading is {duration(overview.at - min(read))} old" if read else ""
    return f"Watching {', '.join(thing for thing in things if thing)}{', ' if any(things) else ''}this host{age}."


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}" if number else ""


def _headline(overview: Overview) -> str:
    alerts = len(overview.alerts)
    fires = f"{alerts} alert fires" if alerts == 1 else f"{alerts} alerts fire"
    watched = any(overview.components[name].status is not None for name in ("database", "redis", "http"))
    match overview.status:
        case Status.HEALTHY:
            return "All is well" if watched else "Nothing but this host is watched yet"
        case Status.WARNING:
            return f"Worth a look: {fires}" if alerts else "Worth a look"
        case Status.UNKNOWN:
            return "Not known yet"
        case _:
            return f"Something is wrong: {fires}" if alerts else "Something is wrong"


# -- components ----------------------------------------------------------------------------------------------------


def _components(view: View) -> Html:
    cards = []
    for name, component in view.overview.components.items():
        said, line = _key_figure(view, name)
        title = el("h3", el("a", _NAMES.get(name, name), href=f"#{_ANCHORS.get(name, 'alerts')}"))
        card = (title, status_mark(component.status), el("p", said, class_="figure"), sparkline(line))
        cards.append(el("li", *card, class_=f"card {tone(component.status)}"))
    return el("ul", *cards, class_="cards components", aria_label="Components")


_ANCHORS: Final = {"database": "pools", "redis": "redis", "http": "http", "host": "host"}


def _key_figure(view: View, name: str) -> tuple[str, Sparkline | None]:
    """What a component's card says, and the course it shows: of several, the one that is worst now."""
    if name == "database" and view.overview.pools:
        pools = view.overview.pools
        used = sum(pool.figures.get("db_pool_checked_out", 0.0) for pool in pools)
        lines = [line for line in view.sparklines if line.key == "pool_utilization"]
        worst = max(lines, key=lambda line: line.last or 0.0, default=None)
        return f"{figure(used)} {'connection' if used == 1 else 'connections'} in use", worst
    if name == "redis" and view.overview.servers:
        found = [server.figures.get("redis_operations_per_second") for server in view.overview.servers]
        operations = [value for value in found if value is not None]
        return f"{figure(sum(operations))} operations/s" if operations else "no figures", view.line("redis_operations")
    if name == "http" and "requests_per_second" in view.http:
        return f"{figure(view.http['requests_per_second'])} requests/s", view.line("http_requests")
    if name == "host" and "host_cpu_utilization" in view.known.host:
        return f"CPU {figure(view.known.host['host_cpu_utilization'], 'percent')}", view.line("host_cpu")
    if name == "dozor" and view.known.started_at is not None:
        return f"on watch for {duration(view.overview.at - view.known.started_at)}", None
    return "", None


def _alerts(view: View, pending: Sequence[Alert]) -> Html:
    at = view.overview.at
    nobody = el(
        "p",
        "Nobody is told of alerts but the log. Set DOZOR_WEBHOOK_URL, or pass notifiers= to Dozor.",
        class_="hint",
    )
    return join(
        alert_list(view.overview.alerts, view.clock, at),
        pending_list(pending, view.clock, at),
        None if set(view.known.receivers) - {"log"} else nobody,
    )


# -- pools and Redis -----------------------------------------------------------------------------------------------


def _worst_first(targets: Sequence[TargetStatus]) -> list[TargetStatus]:
    return sorted(targets, key=lambda target: (-target.status.rank, target.name))


def _named(target: TargetStatus) -> Html:
    worker = f"worker {target.worker}" if target.worker else None
    outside = "watched from outside" if target.outside else None
    also = ", ".join(part for part in (worker, outside) if part)
    return join(told(target.name, 120), el("small", also) if also else None)


def _pools(view: View) -> Html:
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
    for pool in _worst_first(view.overview.pools):
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
    return join(table("Connection pools", heads, rows), _target_reasons(view.overview.pools), _holders(view))


def _holders(view: View) -> Html | None:
    """Who has connections out: the question behind every exhausted pool."""
    held = [(record.name, holder) for record in view.pool_records for holder in record.holders]
    if not held:
        return None
    held.sort(key=lambda one: -one[1].held_seconds)
    rows = []
    for pool, holder in held[:_MOST_ROWS]:
        leaked = el("small", "leaked?", class_="critical") if holder.leaked else None
        rows.append([told(holder.who, 160), join(number(holder.held_seconds, "seconds"), leaked), told(pool, 60)])
    more = None
    if len(held) > len(rows):
        more = el("p", f"The {len(rows)} longest of {len(held)}; pool/statistics in the API has more.", class_="hint")
    shown = table("Who has connections", [("Held by", ""), ("For", "num"), ("Pool", "")], rows)
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


def _servers(view: View) -> Html:
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
    for server in _worst_first(view.overview.servers):
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
    return join(table("Redis servers", heads, rows), _target_reasons(view.overview.servers), _slow_commands(view))


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


def _slow_queries(view: View) -> Html:
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


def _http(view: View) -> Html:
    if not view.known.http_watched:
        return _empty("HTTP requests are not watched. The middleware comes with:", _ADD_HTTP)
    http = view.http
    return el(
        "ul",
        _tile("Requests a second", http.get("requests_per_second"), "", view.line("http_requests")),
        _tile("5xx answers a minute", http.get("errors_per_minute"), "", view.line("http_errors")),
        _tile("In progress", http.get("in_progress")),
        _tile("Half are faster than", http.get("p50_seconds"), "seconds"),
        _tile("95 % are faster than", http.get("p95_seconds"), "seconds"),
        class_="cards",
        aria_label="HTTP",
    )


def _host(view: View) -> Html:
    host = view.known.host
    tiles = [
        _tile("CPU", host.get("host_cpu_utilization"), "percent", view.line("host_cpu")),
        _tile("Memory", host.get("host_memory_utilization"), "percent", view.line("host_memory")),
    ]
    disks = {name: value for name, value in host.items() if name.startswith("host_disk_utilization")}
    if disks:
        tiles.append(_tile("Fullest disk", max(disks.values()), "percent"))
    if "event_loop_lag_seconds" in host:
        lag = host["event_loop_lag_seconds"]
        tiles.append(_tile("Event loop lag", lag, "seconds", view.line("event_loop_lag")))
    if "process_resident_memory_bytes" in host:
        tiles.append(_tile("This process", host["process_resident_memory_bytes"], "bytes"))
    return el("ul", *tiles, class_="cards", aria_label="Host and process")


def _empty(said: str, code: str) -> Html:
    return el("div", el("p", said), el("pre", el("code", code), tabindex="0"), class_="empty teach")


def _footer(view: View) -> Html:
    links = [("metrics", "metrics"), ("overview as JSON", "api/v1/monitoring/dashboard/overview"), ("API", "docs")]
    if not view.docs:
        links = [("metrics", "metrics"), ("overview as JSON", "dashboard/overview")]
    return el(
        "footer",
        el("p", f"Dozor {__version__}"),
        el("ul", *(el("li", el("a", words, href=path)) for words, path in links)),
    )
