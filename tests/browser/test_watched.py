"""The pages of what is watched, and of Dozor itself, in a real browser on a real application: each page, and what is done there.

One application for all tests; a connection of it is held all the while, so that there is something to see.
"""

import re
import threading
from collections.abc import Callable, Iterator
from urllib.parse import quote

import httpx2
import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Visit
from tests.browser.test_app import faults, visit
from tests.patience import PATIENCE_SECONDS
from tests.system.conftest import API, Process, eventually, shared_shop

from dozor.dashboard.built import built_page
from dozor.demo.servers import EmbeddedServer

__all__ = ["shared_shop", "visit"]  # their fixtures are these tests' too

pytestmark = pytest.mark.skipif(
    built_page() is None, reason="the page is not built here: no npm with Node could build it"
)

PAGES = {
    "pools": "Connection pools",
    "queries": "Queries",
    "redis": "Redis",
    "http": "HTTP",
    "host": "Host",
    "rules": "Rules",
    "explore": "Explore",
    "settings": "Dozor",
}


@pytest.fixture(scope="module")
def server(
    shared_shop: Callable[..., Process], valkey_server: EmbeddedServer, shared_postgres_database: str
) -> Iterator[Process]:
    url = shared_postgres_database.replace("+psycopg:", "+asyncpg:")
    process = shared_shop(DATABASE_URL=url, REDIS_URL=valkey_server.url)
    held = threading.Thread(target=_hold, args=(process.port,), daemon=True)
    held.start()
    process.http.get("/cached/a")
    process.http.get("/sleep/0")
    eventually(lambda: process.get("/pool/holders")["pools"], lambda pools: pools and pools[0]["holders"])
    eventually(lambda: process.get("/queries/top")["queries"], bool)
    eventually(lambda: process.get("/http/routes")["routes"], bool)
    yield process
    process.http.post("/release")
    held.join(PATIENCE_SECONDS)
    process.stop()


def _hold(port: int) -> None:
    httpx2.get(f"http://127.0.0.1:{port}/hold/600", timeout=900)


@pytest.fixture
def window(visit: Callable[[int], Visit], server: Process) -> Visit:
    return visit(server.port)


def arrive(window: Visit, path: str) -> Page:
    """Open a page, and wait until all that it asks at first has been answered."""
    page = window.page
    page.goto(f"{window.origin}{API}/#/{path}")  # where it is in an application
    expect(page.locator(".link-mark").first).to_have_text("Live")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    return page


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_drawn_read_aloud_and_holds_its_width(window: Visit, name: str) -> None:
    page = arrive(window, name)
    expect(page.get_by_role("heading", level=1)).to_contain_text(PAGES[name])
    window.photograph(f"app-{name}", "light", "phone", "dark")
    assert faults(page) == []


def test_all_pages_speak_russian(window: Visit) -> None:
    page = arrive(window, "pools")
    page.evaluate("localStorage.setItem('dozor-language', 'ru')")
    page.reload()
    for name in PAGES:
        page.goto(f"{window.origin}{API}/#/{name}")
        expect(page.locator("nav a[aria-current=page]")).to_have_attribute("href", re.compile(f"#/{name}"))
        expect(page.locator(".loading")).to_have_count(0)
        expect(page.locator("html")).to_have_attribute("lang", "ru")
    expect(page.get_by_role("heading", name="Кому сообщают")).to_be_visible()
    window.photograph("app-settings-russian", "phone", "light")


def test_who_has_a_connection_is_seen_while_it_is_held(window: Visit) -> None:
    table = arrive(window, "pools").get_by_role("table", name="Who has connections")
    expect(table).to_contain_text("/hold/{seconds}")
    expect(table).to_contain_text("application.py")
    expect(table).to_contain_text("SELECT")


def test_a_statement_has_a_page_of_its_own(window: Visit) -> None:
    page = arrive(window, "queries")
    page.locator("a.statement").filter(has_text="pg_sleep").first.click()
    expect(page.locator(".statement-text")).to_contain_text("pg_sleep")
    assert "hunter2" not in page.locator("body").inner_text()
    expect(page.get_by_role("table", name="In figures")).to_contain_text("since the start")
    window.photograph("app-statement", "light", "phone")
    assert faults(page) == []


def test_a_rule_has_a_page_that_says_why_it_is_as_it_is(window: Visit, server: Process) -> None:
    rule = server.get("/alerts/rules")["rules"][0]
    page = arrive(window, f"rules/{quote(rule['rule'])}")
    expect(page.get_by_role("heading", level=1)).to_have_text(rule["rule"])
    expect(page.locator(".why")).not_to_be_empty()
    expect(page.locator(".facts code.expr")).to_have_text(rule["expr"])
    window.photograph("app-rule", "light", "phone")
    assert faults(page) == []


@pytest.mark.parametrize(("rule", "title"), [
    ("PoolConnectionsLow", "What the rule compares < 2"),
    ("HttpRequestsSlow", "What the rule compares > 5"),
    ("HttpErrorsHigh", "What the rule asks"),
])  # fmt: skip
def test_the_chart_of_a_rule_is_of_what_it_compares(window: Visit, rule: str, title: str) -> None:
    expect(arrive(window, f"rules/{rule}").locator("figure.chart h3")).to_have_text(re.compile(f"^{title}"))


def test_a_question_is_completed_and_answered(window: Visit) -> None:
    page = arrive(window, "explore")
    asked = page.get_by_label("PromQL", exact=True)
    asked.press_sequentially("db_pool_checked_o")
    expect(page.get_by_role("option", name="db_pool_checked_out", exact=True)).to_be_visible()
    asked.press("Tab")
    expect(asked).to_have_value("db_pool_checked_out")
    asked.press("Enter")
    page.wait_for_url(re.compile("query=db_pool_checked_out"))
    expect(page.get_by_role("table", name="Series")).to_contain_text("db_pool_checked_out")
    expect(page.locator("figure.chart canvas")).to_be_visible()
    window.photograph("app-explore-answer", "light", "phone")
    assert faults(page) == []


def test_no_answer_stands_under_another_question(window: Visit) -> None:
    page = arrive(window, "explore?query=vector(1/0)")
    expect(page.get_by_role("table", name="Series")).to_contain_text("∞")
    page.get_by_label("PromQL", exact=True).fill("1234")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".legend")).to_contain_text("1,234")
    page.get_by_label("PromQL", exact=True).fill("db_pool_capacity[5m]")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("figure.chart h3")).to_have_text("db_pool_capacity[5m]")
    expect(page.locator("figure.chart .fault")).to_be_visible()
    expect(page.locator(".legend")).to_have_count(0)
    assert {said for said in window.complaints if "422" not in said} == set()
    window.complaints.clear()  # Chromium's console names every answer that is not a success


def test_what_a_rule_would_have_done_goes_when_it_is_another(window: Visit) -> None:
    page = arrive(window, "rules?try=1")
    file = page.get_by_label("A rule file, as Prometheus has it")
    file.fill("groups:\n- name: mine\n  rules:\n  - {alert: Always, expr: vector(1)}")
    page.get_by_role("button", name="What would it have done?").click()
    expect(page.get_by_role("table", name="What would it have done?")).to_contain_text("Always")
    file.fill("groups: 7")
    expect(page.get_by_role("table", name="What would it have done?")).to_have_count(0)
    page.get_by_role("button", name="What would it have done?").click()
    expect(page.get_by_role("alert")).to_contain_text("expected a list")
    file.fill("groups: []")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert {said for said in window.complaints if "422" not in said} == set()
    window.complaints.clear()


def test_a_channel_takes_a_test(window: Visit) -> None:
    page = arrive(window, "settings")
    page.get_by_role("table", name="Who is told").get_by_role("button", name="Send a test").first.click()
    expect(page.locator(".toast").filter(has_text="took the test")).to_be_visible()
