"""The page without JavaScript in a real browser, on a real application: what people see and do there, on a bad day too."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Open
from tests.system.conftest import API, Process, eventually

from dozor.demo.servers import EmbeddedServer

PAGE = f"{API}/"


@pytest.fixture
def app(
    shop: Callable[..., Process], own_valkey: EmbeddedServer, own_postgres: EmbeddedServer, quick_rules: str
) -> Process:
    process = shop(
        DATABASE_URL=own_postgres.async_url, REDIS_URL=own_valkey.url, DOZOR_RULES=quick_rules, DOZOR_ENVIRONMENT="test"
    )
    process.http.get("/sleep/1.1")
    eventually(lambda: process.get("/pool/slow-queries")["entries"], bool)
    eventually(lambda: process.get("/system/health")["status"], lambda status: status == "HEALTHY")
    return process


def test_a_bad_day(app: Process, own_valkey: EmbeddedServer, visit: Open) -> None:
    window = visit(app.port)
    page = window.go(PAGE)
    expect(page).to_have_title("Healthy · shop")
    expect(page.get_by_role("heading", level=1)).to_have_text("All is well")
    window.photograph("calm")

    own_valkey.kill()
    (alert,) = eventually(
        lambda: app.alerts("RedisDisconnected"), lambda found: [one["state"] for one in found] == ["FIRING"]
    )
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Something is wrong: 1 alert fires")
    expect(page.get_by_role("table", name="Redis servers")).to_contain_text("Disconnected")
    row = page.locator(".alerts > li").filter(has_text="RedisDisconnected")
    expect(row).to_contain_text("Critical")
    window.photograph("alarm")

    row.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status")).to_contain_text("Acknowledged")
    expect(row).to_contain_text("Acknowledged now")
    (shown,) = app.alerts("RedisDisconnected")
    assert (shown["id"], shown["state"]) == (alert["id"], "ACKNOWLEDGED")

    row.get_by_role("link", name="RedisDisconnected").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("RedisDisconnected")
    window.photograph("alert")
    form = page.locator("form").filter(has=page.get_by_role("button", name="Silence"))
    form.get_by_label("For how long").select_option("4 hours")
    form.get_by_label("Your name").fill("Ann")
    form.get_by_label("Comment").fill("Valkey is being <moved>")
    form.get_by_role("button", name="Silence").click()
    expect(row).to_contain_text("Silenced for another 4 h by Ann: Valkey is being <moved>")
    (shown,) = app.alerts("RedisDisconnected")
    assert shown["state"] == "SILENCED"

    own_valkey.start()
    eventually(lambda: app.alerts("RedisDisconnected"), lambda found: found == [])
    window.go(PAGE)
    expect(page.locator("#alerts")).to_contain_text("Nothing fires.")


HOSTILE_SUMMARY = "<script>alert(1)</script><img src=//evil.test/x onerror=alert(2)> \u202egnp.exe \u2066 </li></ul>"
HOSTILE_RULE = """
groups:
- name: hostile
  rules:
  - alert: "Hostile_<b onclick=alert(3)>"
    expr: vector(1)
    labels:
      severity: warning
      where: "\\"><script>alert(4)</script>\\u202e turned"
    annotations:
      summary: "SUMMARY"
      description: "<style>body{display:none}</style>"
      runbook_url: "javascript:alert(5)"
"""


def test_what_others_wrote_is_shown_as_text(serve: Callable[..., Process], visit: Open, tmp_path: Path) -> None:
    rules = tmp_path / "hostile.yml"
    rules.write_text(HOSTILE_RULE.replace("SUMMARY", HOSTILE_SUMMARY + "W" * 10_240), encoding="utf-8")
    process = serve("--rules", str(rules))
    (alert,) = eventually(
        lambda: process.get("/alerts/active")["alerts"], lambda found: [one["state"] for one in found] == ["FIRING"]
    )
    window = visit(process.port)
    for name, path in {"hostile": "/", "hostile-alert": f"/alert/{alert['id']}"}.items():
        page = window.go(path)
        expect(page.locator(".summary")).to_contain_text(HOSTILE_SUMMARY)
        expect(page.locator(".description")).to_have_text("<style>body{display:none}</style>")
        expect(page.locator(".labels").first).to_have_text('where="><script>alert(4)</script>\u202e turned')
        assert page.locator("script:not([src]), style, img, [onclick], [onerror], a[href^='javascript:']").count() == 0
        window.photograph(name, "light", "phone")


def test_a_key_is_asked_for_once(serve: Callable[..., Process], visit: Open) -> None:
    process = serve(DOZOR_API_KEY="correct-horse-battery")
    window = visit(process.port)
    page = window.page
    page.goto(window.origin)
    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the key.")
    window.photograph("sign-in", "dark")
    assert {said for said in window.complaints if "401" not in said} == set()
    window.complaints.clear()  # Chromium's console names every page that is not a success
    page.get_by_label("Key").fill("correct-horse-battery")
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing but this host is watched yet")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing but this host is watched yet")
    window.go("/docs")
    window.photograph("docs", "light", "phone")
