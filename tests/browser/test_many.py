"""The page where more is watched than it draws at once: what is wrong comes first, and the rest can be had."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Visit
from tests.browser.test_app import open_page, visit
from tests.system.conftest import Process

from dozor.dashboard.built import built_page

__all__ = ["visit"]  # its fixture is this test's too

pytestmark = pytest.mark.skipif(
    built_page() is None, reason="the page is not built here: no npm with Node could build it"
)


def test_of_many_pools_the_worst_are_drawn_and_each_can_be_chosen(
    serve: Callable[..., Process], visit: Callable[[int], Visit], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "watched.db")) as database:
        database.execute("CREATE TABLE orders (id INTEGER)")
    urls = [f"p{number:02}=sqlite:///{tmp_path}/watched.db" for number in range(24)]
    urls.append("zz=postgresql://nobody@127.0.0.1:1/nothing")
    server = serve(*(part for url in urls for part in ("--database-url", url)))
    window = visit(server.port)
    page = open_page(window, "pools")
    pools = page.locator("section.pool")
    expect(pools.first).to_contain_text("zz")
    expect(pools).to_have_count(20)
    expect(page.get_by_text("The worst 20 of 25.")).to_be_visible()
    window.photograph("app-pools-many", "light", "phone")
    page.locator(".choose select").select_option("p23")
    expect(pools).to_have_count(1)
    expect(pools).to_contain_text("p23")
    page.go_back()
    expect(pools).to_have_count(20)
