"""The built page in a real browser: each page, each action, keys, links, hostile text, what it says when it is cut off.

One `dozor serve` for all tests, with rules that fire at once; so no test may leave an alert as another does not expect it.
"""

import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import hatch_build
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from playwright.sync_api import TimeoutError as NotInTime
from tests.browser.conftest import DESK, Open, Visit
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port
from tests.system.conftest import API, Process, eventually

from dozor.dashboard.built import built_page

pytestmark = pytest.mark.skipif(
    built_page() is None, reason="the page is not built here: no npm with Node could build it"
)

expect.set_options(timeout=PATIENCE_SECONDS * 1000)

HOSTILE = "<script>alert(1)</script><img src=//evil.test/x onerror=alert(2)> \u202egnp.exe \u2066 </li></ul>"
RULES = f"""
groups:
- name: page
  rules:
  - {{alert: First, expr: vector(1), labels: {{severity: critical, team: red}}, annotations: {{summary: The first of them}}}}
  - {{alert: Second, expr: vector(1), labels: {{severity: warning, team: red}}, annotations: {{summary: The second of them}}}}
  - {{alert: Third, expr: vector(1), labels: {{severity: warning, team: blue}}, annotations: {{summary: The third of them}}}}
  - {{alert: Fourth, expr: vector(1), labels: {{severity: info, team: blue}}, annotations: {{summary: The fourth of them}}}}
  - {{alert: Quiet, expr: vector(1), labels: {{severity: warning}}, annotations: {{dozor_inhibited_by: First()}}}}
  - {{alert: Slowly, expr: vector(1), for: 1h, labels: {{severity: warning}}}}
  - {{alert: Busy, expr: host_memory_utilization > 0.5, labels: {{severity: critical}}, annotations: {{summary: Memory is in use}}}}
  - alert: "Hostile_<b onclick=alert(3)>"
    expr: vector(1)
    labels: {{severity: warning, where: "\\"><script>alert(4)</script>\\u202e turned"}}
    annotations:
      summary: {json.dumps(HOSTILE)}
      description: "<style>body{{{{`{{`}}}}display:none{{{{`}}`}}}}</style> {"W" * 10_240}"
      runbook_url: "javascript:alert(5)"
"""
RED_OPEN = ["First", "Second"]


def _started(tmp_path_factory: pytest.TempPathFactory, **variables: str) -> Process:
    folder = tmp_path_factory.mktemp("page")
    rules = folder / "rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "dozor.cli", "serve", "--port", str(port), "--rules", str(rules)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **variables}
    return Process(command, port, environment, folder / "process.log")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = _started(tmp_path_factory)
    try:
        process.wait_until_up()
        eventually(lambda: process.alerts("Busy"), lambda found: [one["state"] for one in found] == ["FIRING"])
        yield process
    finally:
        process.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens a window in which scripts run. At the end of the test, nothing may have gone wrong in it."""
    context = browser.new_context(viewport=DESK, color_scheme="light", locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    context.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))"
    )
    visits: list[Visit] = []

    def open_window(port: int) -> Visit:
        visits.append(Visit(context.new_page(), f"http://127.0.0.1:{port}"))
        return visits[-1]

    yield open_window
    context.close()
    assert [complaint for one in visits for complaint in one.complaints] == []


@pytest.fixture
def window(visit: Open, server: Process) -> Visit:
    return visit(server.port)


def open_page(window: Visit, path: str = "") -> Page:
    page = window.page
    page.goto(f"{window.origin}/#/{path}")
    expect(page.locator(".link-mark").first).to_have_text("Live")
    return page


def row_of(page: Page, rule: str) -> Locator:
    return page.locator(".alerts > li").filter(has=page.get_by_role("link", name=rule, exact=True))


def rows(page: Page) -> list[str]:
    return page.locator(".alerts > li .rule").all_inner_texts()


def find(server: Process, rule: str) -> dict[str, Any]:
    (alert,) = server.alerts(rule)
    return alert


# -- what it looks like, and for whom ------------------------------------------------------------------------------


def faults(page: Page) -> list[str]:
    """What axe-core has to say against the page as it is."""
    axe = hatch_build.WEB / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not here: npm has not put it into web/node_modules")
    page.evaluate(axe.read_text(encoding="utf-8") + "; 0")
    found: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


PLACES = {
    "overview": "overview",
    "alerts": "alerts",
    "alerts-pending": "alerts?tab=pending",
    "alerts-history": "alerts?tab=history",
    "silences": "silences",
    "silence-new": 'silences?new=team="red"',
}


SHOWN = ("overview", "alerts", "silence-new")  # in every kind of window


@pytest.mark.parametrize("name", PLACES)
def test_each_page_is_drawn_read_aloud_and_holds_its_width(window: Visit, name: str) -> None:
    page = open_page(window, PLACES[name])
    expect(page.locator("h1, dialog h2").first).to_be_visible()
    if name == "overview":
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Something is wrong: "))
        for chart in page.locator(".chart").all():
            chart.scroll_into_view_if_needed()
            expect(chart.locator("canvas, .no-data")).to_be_visible()
        page.evaluate("scrollTo(0, 0)")
    window.photograph(f"app-{name}", *([] if name in SHOWN else ["phone"]))
    assert faults(page) == []
    if name == "overview":
        page.emulate_media(color_scheme="dark")
        assert faults(page) == []


def test_what_the_server_drew_stays_until_there_is_something_to_show(window: Visit) -> None:
    held: list[Route] = []
    page = window.page
    page.route("**/stream", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks what it is given
    with page.expect_request("**/stream"):
        page.goto(window.origin)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Something is wrong: "))
    expect(page.locator("html.app")).to_have_count(0)
    held[0].continue_()
    expect(page.locator("html.app")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Something is wrong: "))


def test_one_alert_shows_its_course_against_its_threshold(window: Visit, server: Process) -> None:
    alert = find(server, "Busy")
    page = open_page(window, f"alerts/{alert['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Busy")
    expect(page.locator("figure.chart canvas")).to_be_visible()
    expect(page.locator(".chart h3")).to_have_text("What the rule compares > 0.5")
    expect(page.locator(".facts")).to_contain_text(["host_memory_utilization > 0.5"])
    page.locator(".behind summary").click()
    expect(page.locator(".behind td").first).to_contain_text("%")
    expect(page.locator(".timeline")).to_contain_text("Fired")
    page.get_by_label("A note for those who look").fill("Looked at <it>; all is well")
    page.get_by_role("button", name="Write it down").click()
    expect(page.locator(".timeline .note")).to_contain_text("Looked at <it>; all is well")
    window.photograph("app-alert")
    assert faults(page) == []


def test_what_others_wrote_is_shown_as_text(window: Visit, server: Process) -> None:
    alert = find(server, "Hostile_<b onclick=alert(3)>")
    page = open_page(window, "alerts")
    expect(row_of(page, alert["rule"]).locator(".summary")).to_have_text(HOSTILE)
    expect(row_of(page, alert["rule"]).locator(".labels")).to_contain_text('"><script>alert(4)</script>\u202e turned')
    page = open_page(window, f"alerts/{alert['id']}")
    expect(page.locator(".description").first).to_contain_text("<style>body{display:none}</style> WWW")
    assert page.locator("script:not([src]), style, img, [onclick], [onerror], a[href^='javascript:']").count() == 0
    window.photograph("app-hostile", "phone", "light")


def test_the_chart_of_an_alert_goes_to_when_it_fired(window: Visit, server: Process) -> None:
    alert = find(server, "Busy")
    page = open_page(window, f"alerts/{alert['id']}?from=1700000000&to=1700003600")
    page.get_by_role("button", name="When it fired").click()
    page.wait_for_url(re.compile("from=(?!1700000000)"))
    begins, ends = (int(one) for one in re.findall(r"(?:from|to)=(\d+)", page.url))
    fired = datetime.fromisoformat(alert["fired_at"]).timestamp()
    assert begins < fired < ends
    expect(page.locator("figure.chart canvas")).to_be_visible()
    expect(page.get_by_role("button", name="When it fired")).to_have_count(0)


def test_what_was_seen_when_it_fired_is_put_for_people(window: Visit, server: Process) -> None:
    alert = find(server, "Busy")
    evidence = {
        "holders": [
            {"who": "GET /export", "held_seconds": 5.5, "leaked": False, "connection": "8a474c", "backend_pid": 15305}
            | {"endpoint": "GET /export", "task": "Task-5", "state": "idle in transaction", "state_seconds": 5}
            | {"statement": "SELECT 1", "statement_seconds": 5.1, "taken_at": [], "now_at": ["shop.py:9 in export"]}
            | {"usually_taken_at": [{"lines": ["shop.py:7 in export"], "count": 3}]}
        ],
        "slow_queries": [{"statement": "SELECT 2", "duration_seconds": 1.25, "at": 1795803576.25}],
        "stalls": [{"began_at": 1795803561.0, "seconds": 0.32, "stack": ["shop.py:1 in inner", "shop.py:2 in outer"]}],
    }

    def with_evidence(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "evidence": evidence})

    window.page.route(f"**{API}/alerts/{alert['id']}", with_evidence)
    page = open_page(window, f"alerts/{alert['id']}")
    row = page.get_by_role("table", name="Who had connections").get_by_role("row").last
    expect(row).to_contain_text("idle in transaction")
    expect(row).to_contain_text("SELECT 1")
    expect(row).to_contain_text("shop.py:7 in export")
    expect(row).to_contain_text("shop.py:9 in export")
    expect(row).not_to_contain_text(re.compile("15,?305"))
    expect(page.get_by_role("table", name="Slow statements")).to_contain_text("2026-11-27 19:19:36")
    stalls = page.get_by_role("table", name="What blocked the event loop")
    expect(stalls).to_contain_text("320 ms")
    stalls.locator("summary").click()
    expect(stalls.locator("li")).to_have_text(["shop.py:2 in outer"])
    window.photograph("app-evidence", "phone", "light")
    assert faults(page) == []


def test_it_speaks_russian_and_keeps_what_was_chosen(window: Visit) -> None:
    page = open_page(window)
    page.keyboard.press(",")
    page.get_by_label("Language").select_option("Русский")
    expect(page.locator("dialog h2")).to_have_text("Настройки вида")
    page.get_by_label("Цвета").select_option("тёмные")
    page.get_by_label("Плотность").select_option("плотно")
    page.get_by_role("button", name="Закрыть", exact=True).last.click()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Что-то не так: гор"))
    assert page.evaluate("document.documentElement.lang + document.documentElement.dataset.theme") == "rudark"
    window.photograph("app-russian", "light")
    assert faults(page) == []


# -- where one is, and how one moves -------------------------------------------------------------------------------


def test_what_is_shown_stands_in_the_address_and_the_back_button_works(window: Visit) -> None:
    page = open_page(window, "alerts")
    page.get_by_label("Filter by matchers").fill('team="red"')
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".alerts > li")).to_have_count(2)
    assert "filter=team%3D%22red%22" in page.url
    page.get_by_role("button", name="Pending").click()
    expect(page.locator(".empty")).to_contain_text("No alert here matches the filter.")
    page.go_back()
    expect(page.locator(".alerts > li")).to_have_count(2)
    page.reload()
    expect(page.locator(".alerts > li")).to_have_count(2)
    page.get_by_label("Filter by matchers").fill("team=~[")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_contain_text("filter:")
    assert {said for said in window.complaints if "422" not in said} == set()
    window.complaints.clear()  # Chromium's console names every answer that is not a success


def test_the_history_is_narrowed_by_what_its_alerts_have_in_common(window: Visit) -> None:
    page = open_page(window, "alerts?tab=history")
    facets = page.locator(".facets > div")
    expect(facets.filter(has_text="Severity").get_by_role("button")).to_contain_text(["Warning", "Critical", "Info"])
    whole = len(rows(page))
    team = facets.filter(has_text="team").get_by_role("button", name="red")
    expect(team).to_have_attribute("aria-pressed", "false")
    team.click()
    expect(page).to_have_url(re.compile("filter=team%3D%22red%22"))
    expect(team).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".alerts > li")).to_have_count(2)
    facets.filter(has_text="Severity").get_by_role("button", name="Critical").click()
    expect(page.locator(".alerts > li .rule")).to_have_text(["First"])
    page.go_back()
    expect(page.locator(".alerts > li")).to_have_count(2)
    team.click()
    expect(page.locator(".alerts > li")).to_have_count(whole)


def test_the_history_goes_on_while_somebody_looks(window: Visit, server: Process) -> None:
    page = open_page(window, 'alerts?tab=history&filter=team="red"')
    expect(row_of(page, "Second")).to_contain_text("firing for")
    address = f"{API}/alerts/{find(server, 'Second')['id']}/acknowledge"
    assert server.http.post(address, json={}).is_success
    expect(row_of(page, "Second")).to_contain_text("Acknowledged")
    assert server.http.delete(address).is_success
    expect(row_of(page, "Second")).not_to_contain_text("Acknowledged")
    expect(page.locator(".alerts > li")).to_have_count(2)


def test_the_charts_of_a_page_are_asked_for_together(window: Visit) -> None:
    with window.page.expect_request(lambda one: "/series?" in one.url and one.url.count("query=") > 1):
        open_page(window, "host")


def test_a_range_dragged_on_one_chart_is_that_of_all_and_stands_in_the_address(window: Visit) -> None:
    page = open_page(window, "overview")
    chart = page.locator(".chart").filter(has_text="CPU of this host")
    chart.scroll_into_view_if_needed()
    plot = chart.locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, y, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=\d+&to=\d+"))
    expect(page.get_by_label("Time range of the charts")).to_have_value("")
    page.get_by_label("Time range of the charts").select_option("1h")
    page.wait_for_url(re.compile("range=1h$"))
    page.get_by_role("link", name="Alerts").first.click()
    page.wait_for_url(re.compile(r"#/alerts\?range=1h$"))


def go_by_keys(page: Page, key: str, wanted: "re.Pattern[str]") -> None:
    """Press `g` and *key*; again where a busy machine let more time pass between the two than the page allows for."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not wanted.search(page.url):
        assert time.monotonic() < deadline, page.url
        page.keyboard.press("g")
        page.keyboard.press(key)
        with suppress(NotInTime):
            page.wait_for_url(wanted, timeout=2000)


def test_the_keyboard_is_enough(window: Visit, server: Process) -> None:
    page = open_page(window)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next row")
    window.photograph("app-keys", "light")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    go_by_keys(page, "a", re.compile("#/alerts$"))
    expect(row_of(page, "Fourth")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type('alertname="Fourth"')
    page.keyboard.press("Enter")
    expect(page.locator(".alerts > li")).to_have_count(1)
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("Acknowledged: Fourth")
    assert find(server, "Fourth")["state"] == "ACKNOWLEDGED"
    page.locator(".toast").get_by_role("button", name="Undo").click()
    eventually(lambda: find(server, "Fourth")["state"], lambda state: state == "FIRING")


# -- what one does -------------------------------------------------------------------------------------------------


def test_one_or_many_are_acted_on_and_it_can_be_taken_back(window: Visit, server: Process) -> None:
    page = open_page(window, 'alerts?filter=team="red"')
    expect(page.locator(".alerts > li")).to_have_count(2)
    page.get_by_label("Choose all").check()
    page.locator(".bulk").get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".toast")).to_contain_text("Acknowledged: 2 alerts")
    assert [find(server, rule)["state"] for rule in RED_OPEN] == ["ACKNOWLEDGED"] * 2
    page.get_by_role("button", name="Acknowledged").click()
    expect(row_of(page, "First")).to_contain_text("Acknowledged")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    eventually(lambda: [find(server, rule)["state"] for rule in RED_OPEN], lambda now: now == ["FIRING"] * 2)

    page.get_by_role("button", name="Active").click()
    row = row_of(page, "Second")
    row.locator(".menu summary").click()
    row.get_by_role("button", name="4 hours").click()
    expect(page.locator(".toast").last).to_contain_text("Silenced: Second")
    assert find(server, "Second")["state"] == "SILENCED"
    page.locator(".toast").last.get_by_role("button", name="Undo").click()
    eventually(lambda: find(server, "Second")["state"], lambda state: state == "FIRING")

    row_of(page, "Second").get_by_role("button", name="Resolve").click()
    expect(page.locator(".toast").last).to_contain_text("Resolving Second")
    page.locator(".toast").last.get_by_role("button", name="Undo").click()
    row_of(page, "First").get_by_role("link", name="First").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First")
    assert find(server, "Second")["state"] == "FIRING"


def test_resolved_by_hand_it_is_history_even_where_the_page_is_left_at_once(window: Visit, server: Process) -> None:
    page = open_page(window, 'alerts?filter=alertname="Third"')
    row_of(page, "Third").get_by_role("button", name="Resolve").click()
    expect(page.locator(".toast")).to_contain_text("Resolving Third")
    page.goto("about:blank")
    eventually(lambda: server.alerts("Third"), lambda found: found == [])
    page = open_page(window, 'alerts?tab=history&filter=alertname="Third"')
    expect(row_of(page, "Third")).to_contain_text("ended")


def test_a_silence_is_previewed_made_changed_and_ended(window: Visit, server: Process) -> None:
    page = open_page(window, "silences")
    page.get_by_role("button", name="New silence").click()
    page.get_by_label("Which alerts").fill('severity="info"\nteam="blue"')
    expect(page.locator(".preview")).to_contain_text("This matches 1 alert now.")
    expect(page.locator(".preview")).to_contain_text("Fourth")
    page.get_by_label("Why, for the others").fill("The <blue> move")
    page.get_by_label("Your name").fill("Ann")
    page.get_by_role("button", name="Silence them").click()
    table = page.get_by_role("group", name="Silences")
    expect(table).to_contain_text("The <blue> move")
    assert find(server, "Fourth")["state"] == "SILENCED"
    table.get_by_role("button", name="Change").click()
    page.get_by_label("Which alerts").fill("team=~[")
    expect(page.locator(".preview")).to_have_attribute("role", "alert")
    page.get_by_label("Which alerts").fill('team="blue"')
    page.get_by_label("For how long").select_option("1 day")
    page.get_by_role("button", name="Change it").click()
    expect(table).to_contain_text('team="blue"')
    window.photograph("app-silenced", "light")
    table.get_by_role("button", name="End it").click()
    expect(page.locator(".toast").last).to_contain_text("Ended")
    eventually(lambda: find(server, "Fourth")["state"], lambda state: state == "FIRING")
    assert {said for said in window.complaints if "422" not in said} == set()
    window.complaints.clear()


def test_a_silence_still_to_come_that_was_ended_begins_when_it_would_have_if_that_is_taken_back(
    window: Visit, server: Process
) -> None:
    begins, ends = "2030-01-01T10:00:00Z", "2030-01-01T11:00:00Z"
    made = {"matchers": ['team="nobody"'], "starts_at": begins, "ends_at": ends}
    assert server.http.post(f"{API}/silences", json=made).is_success
    page = open_page(window, "silences")
    page.get_by_role("row").filter(has_text="Scheduled").get_by_role("button", name="End it").click()
    page.locator(".toast").last.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast").last).to_have_text("Taken back.")
    found = [one for one in server.get("/silences")["silences"] if one["matchers"] == ['team="nobody"']]
    assert [one["starts_at"] for one in found if one["state"] == "SCHEDULED"] == [begins]


def test_a_silence_begins_at_the_hour_of_the_zone_that_is_shown(window: Visit, server: Process) -> None:
    page = open_page(window, "silences?new=team=someone")
    begins = page.get_by_label("Begins (empty: now)")
    for zone, wanted in (("local", "2030-01-01T09:00:00Z"), ("utc", "2030-01-01T10:00:00Z")):
        page.evaluate("zone => localStorage.setItem('dozor-zone', zone)", zone)
        page.reload()
        page.get_by_label("Which alerts").fill(f'zone="{zone}"')
        begins.fill("2030-01-01T10:00")
        page.get_by_role("button", name="Silence them").click()
        expect(page.get_by_role("group", name="Silences")).to_contain_text(f'zone="{zone}"')
        found = [one for one in server.get("/silences")["silences"] if one["matchers"] == [f'zone="{zone}"']]
        assert [one["starts_at"] for one in found] == [wanted]
        page.goto(f"{window.origin}/#/silences?new=team=someone")


def test_lists_are_taken_away_as_csv_and_expressions_as_text(window: Visit) -> None:
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = open_page(window, 'alerts?filter=team="red"')
    expect(page.locator(".alerts > li")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("rule,severity,state,value")
    assert [line.split(",")[0] for line in lines[1:]] == RED_OPEN
    page = open_page(window, "overview")
    chart = page.locator(".chart").filter(has_text="CPU of this host")
    chart.locator(".menu summary").click()
    chart.get_by_role("button", name="Copy as PromQL").click()
    expect(page.locator(".toast")).to_contain_text("Copied: PromQL")
    assert page.evaluate("navigator.clipboard.readText()") == "host_cpu_utilization"


# -- where it stands, and when it is cut off -----------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/", f"{API}/"])
def test_an_alerts_address_in_a_message_leads_to_it_from_wherever_the_page_is(
    window: Visit, server: Process, base: str
) -> None:
    page = window.go(f"{base}alert/{find(server, 'First')['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("First")
    expect(page.locator(".link-mark").first).to_have_text("Live")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Something is wrong"))
    assert page.url == f"{window.origin}{base}#/overview"


def test_cut_off_it_says_so_and_goes_on_by_itself(window: Visit) -> None:
    page = open_page(window)
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    expect(page.locator(".banner")).to_contain_text("Disconnected: Dozor does not answer.")
    window.photograph("app-cut-off", "light")
    page.context.set_offline(False)
    expect(page.locator(".link-mark").first).to_have_text("Live")
    expect(page.locator(".banner")).to_have_count(0)
    assert {said for said in window.complaints if "Failed to load resource: net::" not in said} == set()
    window.complaints.clear()


def test_what_is_old_is_said_to_be(visit: Open, frozen: Process) -> None:
    window = visit(frozen.port)
    window.page.clock.install()
    page = open_page(window)
    frozen.process.send_signal(signal.SIGSTOP)
    page.clock.run_for(20_000)
    expect(page.locator(".link-mark").first).to_have_text(re.compile(r"\d\d s old"))
    expect(page.locator(".banner")).to_contain_text(re.compile(r"Disconnected: .* What you see is \d\d s old\."))
    frozen.process.send_signal(signal.SIGCONT)
    expect(page.locator(".banner")).to_have_count(0)
    page.goto("about:blank")  # before the server ends
    window.complaints.clear()


def test_a_chart_is_drawn_anew_in_other_colours(window: Visit) -> None:
    page = open_page(window, "host")
    chart = page.locator(".chart canvas").first
    expect(chart).to_be_visible()
    before = chart.element_handle()
    page.keyboard.press(",")
    page.get_by_label("Colours").select_option("dark")
    page.get_by_role("button", name="Close", exact=True).last.click()
    page.wait_for_function("canvas => !canvas.isConnected", arg=before)
    expect(chart).to_be_visible()


@pytest.fixture
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = _started(tmp_path_factory)
    try:
        process.wait_until_up()
        yield process
    finally:
        process.process.send_signal(signal.SIGCONT)
        process.close()


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = _started(tmp_path_factory, DOZOR_API_KEY="correct-horse-battery")
    try:
        process.wait_until_up()
        yield process
    finally:
        process.close()


def test_a_key_is_asked_for_and_kept_for_this_tab_alone(keyed: Process, visit: Open) -> None:
    window = visit(keyed.port)
    page = window.page
    page.goto(window.origin)
    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button", name="Show me").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the key.")
    window.photograph("app-key", "light", "dark")
    page.get_by_label("Key").fill("correct-horse-battery")
    page.get_by_role("button", name="Show me").click()
    expect(page.locator(".link-mark").first).to_have_text("Live")
    page.reload()
    expect(page.locator(".link-mark").first).to_have_text("Live")
    assert "correct-horse" not in f"{page.evaluate('({...localStorage})')} {page.context.cookies()}"
    assert {said for said in window.complaints if "401" not in said} == set()
    window.complaints.clear()  # Chromium's console names every answer that is not a success
