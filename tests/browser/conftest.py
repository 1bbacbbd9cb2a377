"""A real browser, Debian's Chromium, driven by playwright; and what it complained about."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from tests.patience import PATIENCE_SECONDS
from tests.system.conftest import launch, quick_rules, serve, shop

__all__ = ["launch", "quick_rules", "serve", "shop"]  # their fixtures are these tests' too

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
DESK, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=360, height=780)
FLAGS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@dataclass
class Visit:
    """A browser's window on one origin, and all that went wrong in it."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on(
            "console", lambda message: self.complaints.append(f"console: {message.text} {message.location['url']}")
        )
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self._asked(request.url))

    def go(self, path: str) -> Page:
        answer = self.page.goto(self.origin + path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        return self.page

    def photograph(self, name: str, *kinds: str) -> None:
        """Take pictures of the whole page, for people to look at; by default of every kind. Nothing may stick out in any."""
        for kind in kinds or ("light", "dark", "phone"):
            self.page.emulate_media(color_scheme="dark" if kind == "dark" else "light")
            self.page.set_viewport_size(PHONE if kind == "phone" else DESK)
            self.page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
            wider = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider == 0, f"{name} is {wider} px wider than a {kind} window"
            self.page.screenshot(path=SCREENSHOTS / f"{name}-{kind}.png", full_page=True)
        self.page.set_viewport_size(DESK)

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.complaints.append(f"asked another origin: {url}")


Open = Callable[[int], Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser with an empty profile. Not for the whole run: playwright's event loop would be in the way of others.

    Without Chromium's sandbox, which root and many containers cannot have; it sees nothing but our own pages.
    """
    wanted = os.environ.get("DOZOR_TEST_CHROMIUM", "chromium")
    program = shutil.which(wanted) or shutil.which(wanted, path="/usr/bin")
    if program is None:
        pytest.skip(f"no browser: {wanted} is not installed (Debian: apt install chromium libatomic1)")
    try:
        playwright = sync_playwright().start()
    except Exception as error:  # the driver ends before it says anything
        pytest.skip(f"no browser: playwright's driver does not start (Debian: apt install libatomic1): {error}")
    try:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()
    finally:
        playwright.stop()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens a window on the port of a server. At the end of the test, nothing may have gone wrong in it."""
    # The page needs no JavaScript, and nothing that it shows may run any.
    context = browser.new_context(viewport=DESK, color_scheme="light", java_script_enabled=False)
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    visits: list[Visit] = []

    def open_window(port: int) -> Visit:
        visits.append(Visit(context.new_page(), f"http://127.0.0.1:{port}"))
        return visits[-1]

    yield open_window
    context.close()
    assert [complaint for one in visits for complaint in one.complaints] == []
