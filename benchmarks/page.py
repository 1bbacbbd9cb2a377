"""The page in a browser: 200 pools, 200 routes, well over 1,000 series, 10,000 alerts in the history.

python -m benchmarks.page [--quick] [MINUTES]

First paint, how long the page takes to answer a hand, and whether its memory stays flat while it is live (10 minutes, with --quick one).
Charts and sparklines reach back a quarter of an hour, and memory grows with them until they are full: that is waited for, but with --quick.
The browser is Chromium (`apt install chromium libatomic1`, or DOZOR_TEST_CHROMIUM).
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import httpx2
from benchmarks.common import print_figure
from playwright.sync_api import CDPSession, Page, sync_playwright

POOLS, ROUTES, ALERTS = 200, 200, 10_000
STORE_BYTES = 128 * 2**20
API = "/api/v1/monitoring"
VISITS = 7
SAMPLE_SECONDS = 15.0
FILLED_SECONDS = 900.0 + 60.0
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# How long the page took from each input to the next frame, as the browser itself measures it (to 8 ms).
WATCH_INPUT = """
window.__inputs = [];
new PerformanceObserver(list => {
  for (const one of list.getEntries()) if (one.interactionId) window.__inputs.push([one.name, one.duration]);
}).observe({type: 'event', durationThreshold: 16, buffered: true});
"""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)[0] ?? null"
# When the verdict, which needs an answer of Dozor's, is there to be read (drawn by the server, or by the page that took that over).
VERDICT = """selector => new Promise(done => {
  const look = () => {
    const heading = document.querySelector(selector);
    if (heading && heading.textContent.trim()) requestAnimationFrame(() => done(performance.now()));
    else setTimeout(look, 5);
  };
  look();
})"""


# -- the application that is watched, in a process of its own --------------------------------------------------------


def serve(port: int, store: str) -> None:
    """An application with POOLS pools and ROUTES routes, and with ALERTS alerts behind it."""
    import uvicorn  # noqa: PLC0415 - in that process only
    from fastapi import FastAPI  # noqa: PLC0415
    from sqlalchemy import QueuePool, create_engine  # noqa: PLC0415

    from dozor import Dozor, Settings  # noqa: PLC0415

    _fill(store)
    app = FastAPI(title="shop")
    for number in range(ROUTES):
        app.add_api_route(f"/route-{number}", _nothing)
    engines = {f"pool-{number:03d}": create_engine("sqlite://", poolclass=QueuePool) for number in range(POOLS)}
    # Twenty thousand series take more than the 32 MiB that would do for an application.
    settings = Settings(store_url=store, store_memory_bytes=STORE_BYTES)
    Dozor(engine=engines, settings=settings).install(app)
    uvicorn.run(app, port=port, log_level="warning")


async def _nothing() -> str:
    return "nothing"


def _fill(store: str) -> None:
    from dozor.database import Database  # noqa: PLC0415
    from dozor.model.alert import Alert, Severity  # noqa: PLC0415
    from dozor.model.labels import Labels  # noqa: PLC0415
    from dozor.model.notification import Changes  # noqa: PLC0415

    database, now = Database(store), time.time()
    database.open()
    for first in range(0, ALERTS, 1000):
        alerts = tuple(
            Alert(
                id=f"{number:032x}",
                rule=f"Rule{number % 40}",
                labels=Labels(alertname=f"Rule{number % 40}", pool=f"pool-{number % POOLS:03d}"),
                severity=list(Severity)[number % 4],
                component="database",
                annotations={"summary": f"Pool {number % POOLS} was nearly exhausted, for the {number}th time"},
                value=float(number % 100),
                active_at=now - 600 * (ALERTS - number) - 60,
                fired_at=now - 600 * (ALERTS - number),
                resolved_at=now - 600 * (ALERTS - number) + 300,
                resolve_reason="the condition ended",
                told_resolved=True,
            )
            for number in range(first, first + 1000)
        )
        database.commit(Changes(alerts=alerts), ())
    database.close()


class Application:
    """The process, and what is asked of it."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        store = f"sqlite:///{folder}/shop.db"
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.page", "serve", str(self.port), store],
            env={**os.environ, "HOME": folder},
        )

    def start(self) -> int:
        """Wait for it, and ask each route once; how many series there are then."""
        while True:
            if self.process.poll() is not None:
                raise SystemExit(f"the application ended with {self.process.returncode}")
            try:
                if httpx2.get(f"{self.url}{API}/readyz", timeout=5).status_code in {200, 503}:
                    break
            except httpx2.TransportError:
                time.sleep(0.1)
        with httpx2.Client(base_url=self.url, timeout=60) as http:
            for _ in range(3):
                for number in range(ROUTES):
                    http.get(f"/route-{number}").raise_for_status()
            # Not by a query: where there are more series than are kept, this one may not be among them.
            while (answer := http.get(f"{API}/metrics/all")).status_code != 200:
                time.sleep(1)  # busy with all that it sees for the first time
        metrics = answer.json()["metrics"]
        return next(int(one["samples"][0]["value"]) for one in metrics if one["name"] == "dozor_store_series")


# -- the browser -----------------------------------------------------------------------------------------------------


def first_paints(page: Page, url: str) -> tuple[float, float, float]:
    """Median milliseconds to the first paint with content, to the verdict, and to the live page, over some visits with an empty cache."""
    paints, verdicts, live = [], [], []
    for _ in range(VISITS):
        page.goto("about:blank")
        page.goto(url, wait_until="commit")
        verdicts.append(float(page.evaluate(VERDICT, "main h1")))
        paints.append(float(page.evaluate(FIRST_PAINT) or verdicts[-1]))
        live.append(float(page.evaluate(VERDICT, "html.app main h1")))
    return statistics.median(paints), statistics.median(verdicts), statistics.median(live)


def interactions(page: Page, url: str) -> list[tuple[str, float]]:
    """Milliseconds from input to frame, for a walk through all pages by mouse and keyboard, and through lists."""
    page.add_init_script(WATCH_INPUT)
    page.goto(url)
    links = page.locator("html.app nav a")
    links.first.wait_for()  # until then it is the document that needs no JavaScript
    for number in range(links.count()):
        if links.nth(number).is_visible():
            links.nth(number).click()
            page.wait_for_timeout(1500)
            for key in ("j", "j", "k"):
                page.keyboard.press(key)
                page.wait_for_timeout(100)
    page.keyboard.press("?")
    page.wait_for_timeout(300)
    page.keyboard.press("Escape")
    page.wait_for_timeout(300)
    return [(str(name), float(took)) for name, took in page.evaluate("window.__inputs")]


def memory_mib(session: CDPSession) -> float:
    """What the page's JavaScript holds after a collection."""
    session.send("HeapProfiler.collectGarbage")
    metrics: dict[str, Any] = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["JSHeapUsedSize"]) / 2**20


def memory_over(page: Page, minutes: float) -> list[float]:
    """Memory while the page is live and nobody touches it, sampled."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    found, end = [], time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        page.wait_for_timeout(SAMPLE_SECONDS * 1000)
        found.append(memory_mib(session))
    return found


def main(minutes: float) -> None:
    """Print the figures."""
    wanted = os.environ.get("DOZOR_TEST_CHROMIUM", "chromium")
    program = shutil.which(wanted) or shutil.which(wanted, path="/usr/bin")
    if program is None:
        raise SystemExit(f"no browser: {wanted} is not installed (Debian: apt install chromium libatomic1)")
    with tempfile.TemporaryDirectory() as folder:
        application = Application(folder)
        try:
            print(f"{POOLS} pools, {ROUTES} routes, {application.start()} series, {ALERTS} alerts in the history")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
                full_at = application.began + (FILLED_SECONDS if minutes > 1 else 0.0)
                _measure(browser.new_context().new_page(), f"{application.url}{API}/", minutes, full_at)
                browser.close()
        finally:
            application.process.terminate()
            application.process.wait(20)


def _measure(page: Page, url: str, minutes: float, full_at: float) -> None:
    page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    paint, verdict, live = first_paints(page, url)
    print_figure("first paint with content", paint / 1000, "s", "< 1")
    print_figure("the verdict can be read", verdict / 1000, "s", "< 1")
    print_figure("the page is live", live / 1000, "s", "< 1")
    taken = interactions(page, url)
    worst = max(taken, key=lambda one: one[1], default=("none slower than 16 ms", 0.0))
    print_figure(f"slowest interaction ({worst[0]})", worst[1], "ms", "< 100")
    print(
        f"  of {len(taken)} slower than 16 ms: {', '.join(f'{took:.0f}' for _, took in sorted(taken, key=lambda one: -one[1])[:12])} ms"
    )
    page.goto(url)
    page.wait_for_timeout(1000 * max(0.0, full_at - time.monotonic()))
    found = memory_over(page, minutes)
    half = len(found) // 2
    before, after = statistics.median(found[: max(1, half)]), statistics.median(found[half:])
    print_figure(f"memory live, after {minutes:g} min", found[-1], "MiB", "flat")
    print_figure("second half of that time beside the first", after / before, "x", "<= 1.05")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        given = [one for one in sys.argv[1:] if one != "--quick"]
        main(float(given[0]) if given else 1.0 if "--quick" in sys.argv else 10.0)
