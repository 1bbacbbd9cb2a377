"""The page on the real demo, on bad days: each fault that the demo knows is seen in the browser, as a person would see it.

One `dozor demo` for all tests: a busy shop, its PostgreSQL and Valkey, visitors. Each test causes its faults as a person does, looks
for them on the page, and puts them right. The default rules' waiting times are a tenth of what they are, so that alerts come and go.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as NotInTime
from tests.browser.conftest import Visit
from tests.browser.test_app import faults as violations
from tests.browser.test_app import open_page, row_of, visit
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port
from tests.system.conftest import Process, eventually, launching

from dozor.dashboard.built import built_page
from dozor.demo.faults import FAULTS
from dozor.demo.servers import EmbeddedServers, ServersUnavailable

__all__ = ["visit"]  # its fixture is these tests' too

pytestmark = [
    pytest.mark.skipif(built_page() is None, reason="the page is not built here: no npm with Node could build it"),
    pytest.mark.long(30),
]


@dataclass
class Demo:
    """A demo that runs, and the shop that it watches."""

    process: Process
    shop: str

    @contextmanager
    def fault(self, *names: str) -> Iterator[None]:
        """Let things go wrong, and put them right in the end."""
        for name in names:
            assert httpx2.post(f"{self.shop}/faults/{name}", timeout=PATIENCE_SECONDS).status_code == 202
        yield
        for name in names:
            assert httpx2.delete(f"{self.shop}/faults/{name}", timeout=PATIENCE_SECONDS).status_code == 202


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, embedded_servers: EmbeddedServers, quick_rules: str
) -> Iterator[Demo]:
    try:
        embedded_servers.launch("postgres").remove()
    except ServersUnavailable as error:
        pytest.skip(f"needs real servers: {error}")
    port = free_port()
    # That one fault of the demo's own accord is over before the last test looks for it, or is caused once more.
    command = [sys.executable, "-m", "dozor.cli", "demo", "--port", str(port), "--fault", "n-plus-one"]
    with launching(tmp_path_factory.mktemp("demo")) as start:
        process = start(command, port, DOZOR_RULES=quick_rules, DOZOR_LEAK_AFTER="3s")
        eventually(lambda: process.get("/system/health")["status"], lambda status: status == "HEALTHY")
        shop = eventually(lambda: re.search(r"the shop that it watches: (\S+)/docs", process.log), bool)
        assert shop
        yield Demo(process, shop[1])
        assert process.stop() == 0, process.log


@pytest.fixture
def window(visit: Callable[[int], Visit], demo: Demo) -> Visit:
    return visit(demo.process.port)


def look(window: Visit, path: str) -> Page:
    """Open a page, and wait until all that it asks at first has been answered."""
    page = open_page(window, path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)
    return page


def card(page: Page, component: str) -> Locator:
    return page.locator(".component").filter(has=page.get_by_role("heading", name=component, exact=True))


def table(page: Page, name: str, *said: str) -> Locator:
    """The rows of a table in which all this stands."""
    rows = page.get_by_role("table", name=name, exact=True).locator("tbody tr")
    for text in said:
        rows = rows.filter(has_text=text)
    return rows


def draw(chart: Locator) -> None:
    """Scroll to a chart until it is drawn; again where what stands above it grew meanwhile and moved it out of sight."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        chart.scroll_into_view_if_needed()
        with suppress(NotInTime):
            return chart.locator(".plot > *").first.wait_for(timeout=2000)
        assert time.monotonic() < deadline, chart.inner_text()


def record(window: Visit, name: str) -> None:
    """Take pictures of what is shown, its charts drawn, and let axe-core look at it."""
    for chart in window.page.locator(".chart").all():
        draw(chart)
    window.photograph(f"demo-{name}")
    assert violations(window.page) == []


def test_redis_is_stopped_somebody_takes_it_and_it_is_over(window: Visit, demo: Demo) -> None:
    page = look(window, "overview")
    expect(card(page, "Redis")).to_contain_text("Healthy")
    with demo.fault("redis-stopped"):
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Something is wrong"))
        expect(page.locator(".verdict")).to_contain_text("Redis default does not answer")
        expect(card(page, "Redis")).to_contain_text("Disconnected")
        row = row_of(page, "RedisDisconnected")
        expect(row.locator(".summary")).to_have_text("Redis default cannot be reached")
        record(window, "redis-stopped")
        row.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".toast")).to_contain_text("Acknowledged: RedisDisconnected")
        expect(row).to_have_count(0)
        expect(page.get_by_role("region", name="Firing now")).to_contain_text("taken care of")
        page = look(window, "redis")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Disconnected")
        expect(page.locator(".reasons").first).to_contain_text("acknowledged")
        record(window, "redis-page-stopped")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Healthy")
    page = look(window, "overview")
    expect(card(page, "Redis")).to_contain_text("Healthy")
    expect(page.locator(".timeline").first).to_contain_text("RedisDisconnected (redis=default) has ended after")
    page = look(window, 'alerts?tab=history&filter=alertname="RedisDisconnected"')
    expect(row_of(page, "RedisDisconnected").first).to_contain_text("Acknowledged")
    expect(row_of(page, "RedisDisconnected").first).to_contain_text("ended")


# Before others hold connections: so that those who wait in vain wait for the exports.
def test_a_pool_that_is_exhausted_is_closed_by_hand(window: Visit, demo: Demo) -> None:
    page = look(window, "pools")
    with demo.fault("exhausted-pool"):
        expect(page.locator(".meter").first).to_contain_text("15 of 15")
        expect(table(page, "Who has connections", "GET /export", "in export", "FROM orders").first).to_be_visible()
        expect(table(page, "Who waits for one", "shop.py").first).to_be_visible()
        record(window, "exhausted-pool")
        page = look(window, "overview")
        expect(page.locator(".verdict")).to_contain_text("Requests cannot get a connection from pool default")
        expect(card(page, "Database")).to_contain_text("Critical")
        row = row_of(page, "PoolTimeouts")
        expect(row).to_be_visible()
        page = look(window, "alerts?tab=inhibited")
        expect(row_of(page, "PoolUtilizationHigh")).to_contain_text("Kept quiet by PoolTimeouts")
        record(window, "exhausted-pool-inhibited")
        page = look(window, "alerts")
        row_of(page, "PoolTimeouts").get_by_role("link", name="PoolTimeouts").click()
        expect(table(page, "Who had connections", "GET /export").first).to_be_visible()
        record(window, "exhausted-pool-alert")
    page = look(window, "pools")
    expect(page.locator(".meter").first).not_to_contain_text("15 of 15")
    expect(table(page, "Who has connections", "GET /export")).to_have_count(0)
    page = look(window, "alerts")
    row_of(page, "PoolTimeouts").get_by_role("button", name="Resolve").click()
    expect(page.locator(".toast").last).to_contain_text("Resolved by hand: PoolTimeouts.")
    expect(row_of(page, "PoolTimeouts")).to_have_count(0)
    page = look(window, "overview")
    expect(page.locator(".timeline").first).to_contain_text("Somebody closed PoolTimeouts")


def test_connections_that_are_not_given_back(window: Visit, demo: Demo) -> None:
    with demo.fault("leaked-connection", "idle-in-transaction"):
        page = look(window, "pools")
        held = "Who has connections"
        expect(table(page, held, "POST /imports", "too long", "in begin_import", "SELECT count(*)")).to_have_count(6)
        expect(table(page, held, "POST /transfers", "idle in transaction", "shop.py", "in transfer")).to_have_count(3)
        leaks = "Connections that were not given back in time"
        expect(table(page, leaks, "POST /imports", "held").first).to_be_visible()
        expect(page.locator(".reasons").first).to_contain_text("longest by POST /")
        record(window, "leaked-connection")
        page = look(window, "queries?tab=open")
        expect(table(page, "Open transactions", "POST /transfers", "idle in transaction")).to_have_count(3)
        record(window, "idle-in-transaction")
    expect(table(page, "Open transactions", "POST /transfers")).to_have_count(0)
    page = look(window, "pools")
    expect(table(page, held, "POST /imports")).to_have_count(0)
    expect(table(page, leaks, "POST /imports", "returned").first).to_be_visible()


def test_slow_work_is_found_with_its_line_of_code(window: Visit, demo: Demo) -> None:
    with demo.fault("slow-query", "n-plus-one", "slow-fetch", "hot-command"):
        page = look(window, "http")
        expect(table(page, "Being answered now", "GET /margins").first).to_be_visible()
        page = look(window, "queries?tab=repeated")
        repeated = "Repeated in one request (N+1)"
        expect(table(page, repeated, "GET /recent-orders", "FROM customers", "in _customer_name")).to_have_count(1)
        page = look(window, "queries?tab=fetch")
        expect(table(page, "Slow to be read", "GET /ledger", "FROM products", "in ledger").first).to_be_visible()
        page = look(window, "queries?tab=slow")
        expect(table(page, "Slow", "GET /margins", "pg_sleep", "shop.py", "in margins").first).to_be_visible()
        page = look(window, "redis")
        expect(table(page, "Slow commands", "SORT", "shop", "GET /top-rated", "in top_rated")).to_have_count(1)
        expect(table(page, "What commands cost", "SORT")).to_have_count(1)
        page = look(window, "overview")
        row = row_of(page, "SlowQueries")
        expect(row.locator(".summary")).to_have_text("Queries through pool default are slow")
        row.get_by_role("link", name="SlowQueries").click()
        expect(table(page, "Slow statements", "pg_sleep", "in margins").first).to_be_visible()
        record(window, "slow-query-alert")
    page = look(window, "http")
    expect(table(page, "Being answered now", "GET /margins")).to_have_count(0)


def test_a_blocked_loop_and_failing_requests_are_seen_and_what_is_over_is_cleared_away(
    window: Visit, demo: Demo
) -> None:
    with demo.fault("error-burst"):
        with demo.fault("blocked-loop"):
            page = look(window, "host")
            blocked = "What blocked the event loop"
            expect(table(page, blocked, "shop.py", "in invoice").first).to_be_visible()
            record(window, "blocked-loop")
        page = look(window, "http?window=1m")
        expect(table(page, "Routes", "POST /orders").locator(".critical")).to_be_visible()
        for name, path in PAGES.items():
            look(window, path)
            record(window, name)
        page = look(window, "overview")
        expect(card(page, "HTTP")).to_contain_text("Critical")
        expect(row_of(page, "HttpErrorsHigh").locator(".summary")).to_have_text("Many requests fail")
        record(window, "overview")
    page = look(window, "alerts")
    expect(row_of(page, "HttpErrorsHigh")).to_be_visible()
    record(window, "alerts")
    page.get_by_label("Choose all").check()
    page.locator(".bulk").get_by_role("button", name="Resolve").click()
    expect(page.locator(".toast").last).to_contain_text("Resolved by hand:")
    expect(row_of(page, "HttpErrorsHigh")).to_have_count(0)


ENGLISH = re.compile(r"(?:\b[a-z]{2,}[, ]+){2,}[a-z]{2,}")


def words_of(page: Page) -> str:
    """What stands on a page, without code and without names: of metrics, of rules, those that people gave."""
    shown: str = page.evaluate(
        "() => { const main = document.querySelector('main').cloneNode(true);"
        " main.querySelectorAll('code, pre, .labels, .code-line, textarea, option, th a').forEach((one) => one.remove());"
        " return [...main.querySelectorAll('*')].flatMap((one) => [...one.childNodes]).filter((one) => one.nodeType === 3)"
        ".map((one) => one.data).join('\\n'); }"
    )
    return shown


def test_the_russian_page_has_no_english_sentence(window: Visit, demo: Demo) -> None:
    page = look(window, "overview")
    page.evaluate("localStorage.setItem('dozor-language', 'ru')")
    page.reload()
    with demo.fault("redis-stopped", "leaked-connection"):
        expect(page.locator(".verdict")).to_contain_text("Redis default не отвечает")
        expect(row_of(page, "RedisDisconnected").locator(".summary")).to_have_text("Redis default недоступен")
        expect(page.locator(".timeline").first).to_contain_text("RedisDisconnected сработал: Redis default недоступен.")
        alert = row_of(page, "RedisDisconnected").get_by_role("link").get_attribute("href")
        assert alert is not None
        for path in (
            "overview",
            "alerts",
            alert.partition("#/")[2],
            "redis",
            "pools",
            "rules/RedisDisconnected",
            "settings",
        ):
            page.goto(f"{window.origin}/#/{path}")
            expect(page.locator(".loading")).to_have_count(0)
            if path == "pools":
                expect(page.locator(".reasons").first).to_contain_text("дольше всех POST /imports")
            if path == "settings":
                expect(page.get_by_role("main")).to_contain_text("Отсчётов в хранилище рядов")
            assert ENGLISH.findall(words_of(page)) == [], path
            window.photograph(f"demo-russian-{path.partition('/')[0]}", "light")


PAGES = {
    "alerts-history": "alerts?tab=history",
    "silences": "silences",
    "queries": "queries",
    "queries-repeated": "queries?tab=repeated",
    "redis": "redis",
    "http": "http",
    "rules": "rules",
    "rule": "rules/HttpErrorsHigh",
    "explore": "explore?query=db_pool_checked_out",
    "settings": "settings",
}
"""What else is recorded while something is wrong; the others are where their fault is looked for."""


def test_each_fault_of_the_demo_is_looked_for_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    causes = re.findall(r"demo\.fault\(([^)]*)\)", source)
    assert {name for cause in causes for name in re.findall(r'"([a-z-]+)"', cause)} == set(FAULTS)
