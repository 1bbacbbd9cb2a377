"""The page without JavaScript: one verdict on top, then what leads to it."""

from collections.abc import Sequence
from typing import Final

from dozor._version import __version__
from dozor.dashboard import sections
from dozor.dashboard.alert_view import alert_list, pending_list
from dozor.dashboard.built import TakeOver, built_page
from dozor.dashboard.html import Html, el, join, told
from dozor.dashboard.parts import lasting, reasons, shape, sparkline, status_mark, tone
from dozor.dashboard.view import View
from dozor.model.alert import Alert
from dozor.overview import (
    Known,
    Overview,
    Sparkline,
    Status,
    urgency,
)
from dozor.overview.words import duration, figure

REFRESH_SECONDS: Final = 10
_NOT_BUILT: Final = (
    "This is the page without JavaScript. The one with charts and live figures is not in this installation: building it takes "
    "npm and Node 20.19 or later. A released package has it."
)
_NAMES: Final = {"database": "Database", "redis": "Redis", "http": "HTTP", "host": "Host", "dozor": "Dozor"}


def document(
    title: str,
    body: Html,
    *,
    base: str,
    style: str,
    icon: str = "unknown",
    refresh: int | None = None,
    app: TakeOver | None = None,
) -> str:
    """A whole document. *base* is the way from its address to the page's root (`./` or `../`).

    *app* takes its place where scripts run; where they do not, or where they do not arrive, it is all there is.
    """
    again = el("meta", http_equiv="refresh", content=refresh) if refresh else None
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="robots", content="noindex"),
        el("noscript", again) if again and app else again,
        el("title", title),
        el("link", rel="icon", type="image/svg+xml", href=f"{base}icon-{icon}.svg"),
        el("link", rel="stylesheet", href=f"{base}{style}"),
        # Of no medium until the script wants it, so that it comes along with the script and dresses nothing without it.
        el("link", rel="stylesheet", media="not all", href=f"{base}{app.style}") if app else None,
        *(el("link", rel="modulepreload", href=f"{base}{part}") for part in (app.parts if app else ())),
        el("script", type="module", src=f"{base}{app.script}") if app else None,
    )
    ways = {"data_root": base, "data_api": f"{base}{app.api}"} if app else {}
    return f"<!doctype html>\n{el('html', head, el('body', body), lang='en', **ways)}\n"


def overview_page(view: View, *, style: str, app: TakeOver | None = None) -> str:
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
            _section("Connection pools", sections.pools(view), "pools"),
            _section("Redis", sections.servers(view), "redis"),
            _section("Slow queries", sections.slow_queries(view), "queries"),
            _section("HTTP", sections.http(view), "http"),
            _section("Host and process", sections.host(view), "host"),
        ),
        _footer(view),
    )
    title = f"{status.value.capitalize()} · {_service(known)}"
    refresh = REFRESH_SECONDS if view.refreshes else None
    return document(title, body, base="./", style=style, icon=tone(status), refresh=refresh, app=app)


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
        el("nav", el("a", "Silences", href="silence"), el("a", "Who is told", href="channel"), aria_label="More"),
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
        return f"on watch for {lasting(view.overview.at - view.known.started_at)}", None
    return "", None


def _alerts(view: View, pending: Sequence[Alert]) -> Html:
    at = view.overview.at
    nobody = el(
        "p",
        "Nobody is told of alerts but the log. Set DOZOR_WEBHOOK_URL, or pass notifiers= to Dozor.",
        class_="hint",
    )
    return join(
        alert_list(view.overview.alerts, view.known.silences, view.clock, at),
        pending_list(pending, view.clock, at),
        None if set(view.known.receivers) - {"log"} else nobody,
    )


def _footer(view: View) -> Html:
    links = [("metrics", "metrics"), ("overview as JSON", "api/v1/monitoring/dashboard/overview"), ("API", "docs")]
    if not view.docs:
        links = [("metrics", "metrics"), ("overview as JSON", "dashboard/overview")]
    return el(
        "footer",
        el("p", f"Dozor {__version__}"),
        el("p", _NOT_BUILT) if built_page() is None else None,
        el("ul", *(el("li", el("a", words, href=path)) for words, path in links)),
    )
