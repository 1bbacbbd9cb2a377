"""The page in a browser's hands: what it shows, what its forms do, who may see it."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from msgspec.structs import replace
from tests.api.fake_backend import (
    AT,
    POOL_FIGURES,
    REDIS_FIGURES,
    FakeBackend,
    a_channel,
    a_command,
    a_letter,
    a_query,
    a_silence,
    an_alert,
    busy,
)
from tests.dashboard.reader import Page, page_of

from dozor import containment, dashboard
from dozor.api import PREFIX, build_router, create_app
from dozor.api.backend import Access
from dozor.dashboard.answers import STYLE_URL
from dozor.dashboard.built import built_page
from dozor.instruments.pool_holders import Holder
from dozor.instruments.pool_places import UsualPlace
from dozor.model.alert import Acknowledgement, AlertSilence, Severity
from dozor.model.labels import Labels
from dozor.model.notification import AuditEntry
from dozor.overview import PoolConnections, PoolReading, RedisReading
from dozor.store.matchers import Matcher
from dozor.testing import FakeClock

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e</textarea></style>"


def test_one_verdict_in_words_stands_on_top(client: TestClient, backend: FakeBackend) -> None:
    assert "All is well" in page_of(client).text
    backend.add(an_alert(severity=Severity.WARNING))
    assert "Worth a look: 1 alert fires" in page_of(client).text
    backend.add(an_alert(id="a2"))
    assert "Something is wrong: 2 alerts fire" in page_of(client).text


def test_the_page_shows_pools_redis_queries_holders_http_and_host(client: TestClient, backend: FakeBackend) -> None:
    busy(backend)
    backend.queries = [a_query("SELECT slow FROM orders", failed=True, error="OperationalError")]
    backend.commands = [a_command("KEYS")]
    usual = (UsualPlace(("reports.py:31 in report",), 4),)
    holder = Holder("GET /reports", 312.0, leaked=True, usually_taken_at=usual)
    backend.connections = [PoolConnections("default", {}, [holder])]
    said = page_of(client).text
    for expected in ("14 of 15", "1 MiB of 4 MiB", "97.4 %", "SELECT slow", "OperationalError", "KEYS", "GET /reports",
                     "5 min 12 s", "leaked?", "40.2 requests/s", "CPU", "31.2 %",
                     "usually reports.py:31 in report"):  # fmt: skip
        assert expected in said, expected


def test_without_anything_the_page_teaches(client: TestClient, backend: FakeBackend) -> None:
    backend.pools = backend.servers = ()
    backend.changes = {"http_watched": False, "name": "", "host": {}}
    said = page_of(client).text
    assert "Nothing but this host is watched yet" in said
    for code in ("Dozor(engine=engine)", "redis=redis_client", "dozor.install(app)", "DOZOR_WEBHOOK_URL"):
        assert code in said


def test_alerts_say_what_was_done_about_them(client: TestClient, backend: FakeBackend) -> None:
    backend.add(
        an_alert(id="a1", acknowledged=Acknowledgement(AT - 60, "anna", "looking")),
        an_alert(id="a2", silenced=AlertSilence(AT, AT + 1800, "boris")),
        an_alert(id="a3", silenced=AlertSilence(AT)),
        an_alert(id="a4", inhibited_by=("PoolTimeouts",)),
        an_alert(id="a5", holds=False),
        an_alert(id="a6", no_data=True),
        an_alert(id="a7", rule="Pends", fired_at=None),
    )
    said = page_of(client).text
    for expected in ("Acknowledged by anna 1 min ago: looking", "Silenced for another 30 min by boris", "until it resolves",
                     "Kept quiet by PoolTimeouts", "Already better", "No data now", "not for long enough to fire", "Pends"):  # fmt: skip
        assert expected in said, expected


def test_ten_thousand_alerts_and_hundreds_of_pools_make_no_endless_page(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.add(*(an_alert(id=f"a{index}") for index in range(10_000)))
    backend.pools = tuple(replace(backend.pools[0], name=f"pool{index}") for index in range(200))
    answer = client.get("/")
    assert "and 9950 more" in answer.text
    assert len(answer.content) < 200_000


def test_of_many_pools_the_worst_are_shown_and_a_link_that_needs_no_script_leads_to_all(
    client: TestClient, backend: FakeBackend
) -> None:
    calm = backend.pools[0]
    backend.pools = (*(replace(calm, name=f"pool{index}") for index in range(200)), replace(calm, name="ill", up=False))
    page = page_of(client)
    assert "ill" in page.text
    assert len([one for one in page.all("th") if one.get("scope") == "row"]) < 25
    assert "and 181 more" in page.text
    assert {"href": "./?plain&all#pools"} in page.all("a")
    whole = page_of(client, "/?plain&all")
    assert all(f"pool{index}" in whole.text for index in range(200))
    assert {"href": "./?plain#pools"} in whole.all("a")
    assert not whole.all("script")


def test_a_page_that_cannot_be_drawn_now_is_taken_over_all_the_same(client: TestClient, backend: FakeBackend) -> None:
    if built_page() is None:
        pytest.skip("the page is not built here: no npm with Node could build it")
    backend.running = False
    answer = client.get("/")
    assert answer.status_code == 503
    assert len(Page(answer.text).all("script")) == 1


def hostile(backend: FakeBackend) -> None:
    long = "x" * 10_000
    labels = Labels(alertname=EVIL, evil=EVIL, pool=long)
    notes = {"summary": EVIL + long, "description": EVIL, "runbook_url": "javascript:alert(1)"}
    evidence = {EVIL: [EVIL], "holders": [{"who": EVIL, "held_seconds": EVIL}], "routes": EVIL}
    alert = an_alert(rule=EVIL, labels=labels, annotations=notes, evidence=evidence, threshold=EVIL)
    backend.add(
        replace(alert, acknowledged=Acknowledgement(AT, EVIL, long), silenced=AlertSilence(AT, None, EVIL, EVIL))
    )
    backend.pools = (PoolReading(EVIL, POOL_FIGURES, AT, notes=(EVIL,)), PoolReading(long, POOL_FIGURES, AT, up=False))
    backend.servers = (RedisReading(EVIL, REDIS_FIGURES, AT, connected=True, failure=EVIL, hint=EVIL),)
    backend.queries = [a_query(EVIL * 200 + "\ud800", caller=EVIL, failed=True, error=EVIL)]
    backend.commands = [a_command(EVIL, client_name=EVIL)]
    backend.connections = [PoolConnections(EVIL, {}, [Holder(EVIL, 1.0, leaked=False)])]
    backend.changes = {"name": EVIL, "environment": EVIL}
    backend.by_matchers["s1"] = a_silence(matchers=(str(Matcher("evil", "=", EVIL)),), by=EVIL, comment=EVIL)
    backend.audit = [AuditEntry("a1", AT, "note", EVIL, EVIL), AuditEntry("a1", AT, EVIL, EVIL, EVIL)]
    backend.channel_states = [a_channel(EVIL, last_error=EVIL)]
    backend.letters[1] = a_letter(1, receiver=EVIL, last_error=EVIL)


@pytest.mark.parametrize("path", ["/", "/alert/a1", "/silence", f"/silence?matchers={quote(EVIL)}", "/channel"])
def test_hostile_text_is_shown_as_text(client: TestClient, backend: FakeBackend, path: str) -> None:
    hostile(backend)
    page = page_of(client, path)
    assert not {"img", "style", "iframe"} & {name for name, _ in page.elements}
    assert all(script.keys() == {"type", "src"} for script in page.all("script"))
    assert all(area.get("name") in {"text", "matchers"} for area in page.all("textarea"))
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.elements for name in attributes)
    assert "<script>alert(1)</script>" in page.text
    for link in page.all("a"):
        assert not link["href"].startswith(("javascript:", "data:"))


def test_a_runbook_is_linked_only_when_it_is_a_web_page(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert(annotations={"runbook_url": "https://wiki.example/pool"}))
    links = [link for link in page_of(client, "/alert/a1").all("a") if link["href"].startswith("http")]
    assert links == [{"href": "https://wiki.example/pool", "rel": "noopener noreferrer"}]


@pytest.mark.parametrize("path", ["/", "/alert/a1", "/silence", "/channel", "/docs", "/alert/nobody"])
def test_every_page_has_a_strict_policy_and_is_asked_for_anew(
    client: TestClient, backend: FakeBackend, path: str
) -> None:
    backend.add(an_alert())
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["cache-control"], headers["x-frame-options"]) == ("private, no-cache", "DENY")


@pytest.mark.parametrize("path", ["/", "/alert/a1", "/silence?matchers=pool%3Ddefault", "/channel", "/docs"])
def test_every_address_on_a_page_is_relative(client: TestClient, backend: FakeBackend, path: str) -> None:
    backend.add(an_alert())
    backend.by_matchers["s1"], backend.letters[1] = a_silence(), a_letter(1)
    for name, attributes in page_of(client, path).elements:
        for key in ("href", "src", "action", "formaction"):
            assert not re.match(r"[a-z]+:|/", attributes.get(key, "")), (name, attributes)


@pytest.mark.parametrize("base", ["/", f"{PREFIX}/"])
def test_style_and_icons_are_where_the_page_says_and_are_kept(
    client: TestClient, backend: FakeBackend, base: str
) -> None:
    backend.add(an_alert())
    for path, way in (("", ""), ("alert/a1", "../")):
        for link in page_of(client, base + path).all("link"):
            address = link["href"].removeprefix("./").removeprefix(way)
            answer = client.get(base + address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
    assert client.get(f"{base}icon-nonsense.svg").status_code == 200


def test_the_style_that_the_first_paint_waits_for_is_packed_where_the_browser_takes_it(client: TestClient) -> None:
    packed = client.get(f"/{STYLE_URL}", headers={"Accept-Encoding": "gzip"})
    plain = client.get(f"/{STYLE_URL}", headers={"Accept-Encoding": "identity"})
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content
    assert packed.headers["vary"] == "Accept-Encoding"


def test_no_address_of_the_page_is_one_of_the_api(backend: FakeBackend) -> None:
    methods = [
        (method, route.path)
        for route in build_router(backend, pages=dashboard).routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    assert len(methods) == len(set(methods))


def test_the_page_refreshes_itself_unless_told_to_hold_still(client: TestClient) -> None:
    assert {"http-equiv": "refresh", "content": "10"} in page_of(client).all("meta")
    assert not any("http-equiv" in meta for meta in page_of(client, "/?refresh=off").all("meta"))


def test_words_from_the_address_never_reach_the_page(client: TestClient) -> None:
    assert "pwned" not in client.get("/?done=pwned&refresh=pwned").text
    assert "Acknowledged: it is yours" in client.get("/?done=acknowledge").text


def forms(client: TestClient, path: str = "/") -> Any:
    page = page_of(client, path)
    return [form["action"] for form in page.all("form") if form["method"] == "post"]


def test_an_alert_has_forms_and_those_that_make_no_sense_are_left_out(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    assert forms(client) == ["alert/a1/acknowledge", "alert/a1/silence", "alert/a1/resolve"]
    assert forms(client, "/alert/a1") == ["a1/acknowledge", "a1/silence", "a1/resolve", "a1/notes"]
    backend.add(an_alert(acknowledged=Acknowledgement(AT), silenced=AlertSilence(AT)))
    assert forms(client) == ["alert/a1/resolve"]
    backend.add(an_alert(fired_at=None))
    assert forms(client, "/alert/a1") == ["a1/silence", "a1/notes"]
    backend.ended["over"] = an_alert(id="over", resolved_at=AT)
    assert forms(client, "/alert/over") == ["over/notes"]


@pytest.mark.parametrize("base", ["/", f"{PREFIX}/"])
@pytest.mark.parametrize(
    ("action", "fields", "state"),
    [
        ("acknowledge", {"by": "anna", "comment": "mine"}, "ACKNOWLEDGED"),
        ("silence", {"duration": "4h"}, "SILENCED"),
        ("silence", {"duration": "until_resolved"}, "SILENCED"),
        ("resolve", {}, "RESOLVED"),
    ],
)
def test_a_form_acts_and_leads_back_to_the_overview(
    client: TestClient, backend: FakeBackend, base: str, action: Any, fields: Any, state: Any
) -> None:
    backend.add(an_alert())
    answer = client.post(f"{base}alert/a1/{action}", data=fields, headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"../../?done={action}")
    done = backend.alerts.get("a1") or backend.ended["a1"]
    assert done.state == state
    if fields.get("by"):
        assert done.acknowledged
        assert (done.acknowledged.by, done.acknowledged.comment) == ("anna", "mine")


def test_an_action_that_is_not_saved_says_so(client: TestClient, backend: FakeBackend) -> None:
    backend.add(an_alert())
    backend.durable = False
    location = client.post("/alert/a1/acknowledge").headers["location"]
    assert "in memory only" in client.get(location.removeprefix("../..")).text


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/alert/nobody/acknowledge", {}, 404),
        ("/alert/p/acknowledge", {}, 409),
        ("/alert/a1/silence", {"duration": "-1h"}, 422),
        ("/alert/a1/silence", {"duration": "0s"}, 422),
        ("/alert/a1/silence", {}, 422),
        ("/alert/a1/silence", {f"f{index}": "x" for index in range(30)}, 422),
        ("/alert/a1/acknowledge", {"comment": "x" * 70_000}, 413),
    ],
)
def test_what_cannot_be_done_is_a_page_that_says_why(
    client: TestClient, backend: FakeBackend, path: str, fields: Any, status: Any
) -> None:
    backend.add(an_alert(), an_alert(id="p", fired_at=None))
    answer = client.post(path, data=fields)
    assert answer.status_code == status
    assert Page(answer.text).all("a")[0]["href"] == "../../"


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://attacker.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_on_another_site_does_nothing(client: TestClient, backend: FakeBackend, headers: dict[str, Any]) -> None:
    backend.add(an_alert())
    assert client.post("/alert/a1/resolve", headers=headers).status_code == 403
    assert "a1" in backend.alerts


def test_while_dozor_does_not_run_the_page_says_so_and_tries_again(client: TestClient, backend: FakeBackend) -> None:
    backend.running = False
    answer = client.get("/")
    assert answer.status_code == 503
    assert {"http-equiv": "refresh", "content": "2"} in Page(answer.text).all("meta")


def test_a_mistake_of_dozors_own_is_contained(
    client: TestClient, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "slow_queries", lambda: 1 / 0)
    before = containment.counts().get("dashboard", 0)
    answer = client.get("/")
    assert (answer.status_code, "division" in answer.text) == (500, False)
    assert containment.counts()["dashboard"] == before + 1


# -- who may see it ------------------------------------------------------------------------------------------------


@pytest.fixture
def keyed(clock: FakeClock) -> Any:
    backend = FakeBackend(clock, Access(api_key="right"))
    backend.add(an_alert())
    app = create_app(backend, pages=dashboard)
    return TestClient(app, base_url="https://dozor.example", client=("203.0.113.7", 1), follow_redirects=False)


@pytest.mark.parametrize("base", ["/", f"{PREFIX}/"])
def test_with_a_key_the_page_asks_for_it_once(keyed: TestClient, base: str) -> None:
    asked = keyed.get(base)
    assert asked.status_code == 401
    assert "shop" not in asked.text
    assert Page(asked.text).all("form")[0]["action"] == "./sign-in"
    assert Page(keyed.get(f"{base}alert/a1").text).all("form")[0]["action"] == "../sign-in"
    wrong = keyed.post(f"{base}sign-in", data={"key": "wrong"})
    assert (wrong.status_code, "That is not the key" in wrong.text) == (401, True)
    right = keyed.post(f"{base}sign-in", data={"key": "right"})
    assert (right.status_code, right.headers["location"]) == (303, "./")
    cookie = right.headers["set-cookie"]
    for part in ("HttpOnly", "Secure", "SameSite=strict", f"Path={base};"):
        assert part in cookie
    assert keyed.get(base).status_code == 200
    assert keyed.post(f"{base}alert/a1/acknowledge").status_code == 303


def test_a_session_opens_the_page_and_not_the_api(keyed: TestClient) -> None:
    keyed.post("/sign-in", data={"key": "right"})
    assert keyed.get("/docs").status_code == 200
    assert keyed.get(f"{PREFIX}/pool/status").status_code == 401
    assert keyed.post(f"{PREFIX}/alerts/a1/resolve", json={}).status_code == 401


def test_a_program_may_show_the_key_for_a_page_too(keyed: TestClient) -> None:
    assert keyed.get("/", headers={"X-API-Key": "right"}).status_code == 200


def test_the_applications_own_rule_guards_the_page_and_leads_where_it_wants(clock: FakeClock) -> None:
    async def to_login() -> None:
        raise HTTPException(303, headers={"Location": "/login"})

    app = FastAPI(dependencies=[Depends(lambda: pytest.fail("an application-wide dependency ran"))])
    app.router.routes += build_router(FakeBackend(clock, Access(dependency=to_login)), pages=dashboard).routes
    answer = TestClient(app, follow_redirects=False).get(f"{PREFIX}/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_without_a_key_the_page_is_for_this_machine_only(backend: FakeBackend) -> None:
    client = TestClient(create_app(backend, pages=dashboard), client=("203.0.113.7", 1))
    answer = client.get("/")
    assert answer.status_code == 403
    assert "DOZOR_API_KEY" in answer.text
