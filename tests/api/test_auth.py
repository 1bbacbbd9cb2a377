"""Who may ask, from where, and what a browser may be made to send."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend, an_alert

from dozor.api import build_router, create_app
from dozor.api.auth import Door
from dozor.api.backend import Access
from dozor.model.alert import Severity
from dozor.testing import FakeClock

STATUS = "/api/v1/monitoring/pool/status"
ACT = "/api/v1/monitoring/alerts/a1/acknowledge"
KEY = "s3cr3t-key-ä"


KEYED = Access(api_key=KEY, slack_signing_secret="signing secret")
ClientOf = Callable[..., Any]


@pytest.fixture(scope="module")
def guarded() -> tuple[FastAPI, FakeBackend]:
    """As `served`, with a key."""
    backend = FakeBackend(FakeClock(), KEYED)
    return create_app(backend), backend


@pytest.fixture
def keyed(guarded: tuple[FastAPI, FakeBackend]) -> FakeBackend:
    backend = guarded[1]
    FakeBackend.__init__(backend, backend.clock, KEYED)
    backend.add(an_alert(severity=Severity.WARNING))
    return backend


@pytest.fixture
def client_of(served: tuple[FastAPI, FakeBackend], guarded: tuple[FastAPI, FakeBackend]) -> ClientOf:
    """Makes a client for the application over a backend."""
    built = {id(backend): app for app, backend in (served, guarded)}

    def make(backend: FakeBackend, *, peer: str = "127.0.0.1", host: str = "http://localhost") -> TestClient:
        return TestClient(built.get(id(backend)) or create_app(backend), base_url=host, client=(peer, 4711))

    return make


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY.encode()},
        {"Authorization": b"Bearer " + KEY.encode()},
        {"authorization": b"bearer  " + KEY.encode()},
    ],
)
def test_the_key_opens_by_either_header_from_anywhere(
    keyed: FakeBackend, headers: dict[str, Any], client_of: ClientOf
) -> None:
    client = client_of(keyed, peer="203.0.113.7", host="https://dozor.example.com")
    assert client.get(STATUS, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Basic czNjcjN0"}, {"X-API-Key": ""}]
)
def test_without_the_key_every_guarded_route_is_401(
    keyed: FakeBackend, headers: dict[str, Any], client_of: ClientOf
) -> None:
    client = client_of(keyed)
    paths = client.app.openapi()["paths"]
    for path, item in paths.items():
        for method in item:
            answer = client.request(method, path.replace("{alert_id}", "a1"), headers=headers, content=b"{broken")
            if path.endswith(("/health", "/livez", "/readyz")) and "system" not in path:
                assert answer.status_code == 200
            else:
                assert answer.status_code == 401, path
                signed = path.endswith("/slack/actions")  # opened by Slack's signature, by no key
                assert answer.headers["www-authenticate"] == ("X-Slack-Signature" if signed else "Bearer")
                assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/openapi.json").status_code == 401


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(Access(api_key=KEY))


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "testclient"])
def test_without_a_key_this_machine_may_ask(backend: FakeBackend, peer: str, client_of: ClientOf) -> None:
    assert client_of(backend, peer=peer).get(STATUS).status_code == 200


@pytest.mark.parametrize("peer", ["10.0.0.5", "203.0.113.7", "::2", "fe80::1%eth0", "::ffff:10.0.0.5", "", "localhost"])
def test_without_a_key_nobody_else_may_and_learns_how_to_set_one(
    backend: FakeBackend, peer: str, client_of: ClientOf
) -> None:
    answer = client_of(backend, peer=peer).get(STATUS)
    assert answer.status_code == 403
    assert "DOZOR_API_KEY" in answer.json()["detail"]


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP", "Via"],
)
def test_without_a_key_what_came_through_a_proxy_is_refused(
    backend: FakeBackend, header: Any, client_of: ClientOf
) -> None:
    assert client_of(backend).get(STATUS, headers={header: "x"}).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8002", 200),
        ("127.0.0.1", 200),
        ("[::1]:8002", 200),
        ("shop.localhost", 200),
        ("devbox", 200),
        ("attacker.example", 403),
        ("127.0.0.1.nip.io", 403),
        ("[::1", 403),
    ],
)
def test_a_name_that_a_stranger_may_own_is_refused(
    backend: FakeBackend, host: str, status: Any, client_of: ClientOf
) -> None:
    assert client_of(backend).get(STATUS, headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "path", ["/health", "/livez", "/readyz", "/api/v1/monitoring/health", "/api/v1/monitoring/readyz"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probes_are_open_to_everybody(keyed: FakeBackend, path: str, method: str, client_of: ClientOf) -> None:
    assert client_of(keyed, peer="203.0.113.7", host="http://attacker.example").request(method, path).status_code == 200


FOREIGN = [
    {"Origin": "https://attacker.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("key", [None, KEY])
def test_a_page_of_another_site_can_make_a_browser_do_nothing(
    clock: FakeClock, headers: dict[str, Any], key: str | None, client_of: ClientOf
) -> None:
    backend = FakeBackend(clock, Access(api_key=key))
    backend.add(an_alert())
    shown = {"X-API-Key": KEY.encode()} if key else {}
    answer = client_of(backend).post(ACT, json={}, headers={**headers, **shown})
    assert answer.status_code == 403
    assert backend.alerts["a1"].acknowledged is None


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost"}, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}]
)
def test_programs_and_the_own_page_may_act(backend: FakeBackend, headers: dict[str, Any], client_of: ClientOf) -> None:
    backend.add(an_alert())
    assert client_of(backend).post(ACT, json={}, headers=headers).status_code == 200


def test_behind_open_cors_another_site_may_not_even_read(
    backend: FakeBackend, keyed: FakeBackend, client_of: ClientOf
) -> None:
    headers = {"Origin": "https://attacker.example"}
    assert client_of(backend).get(STATUS, headers=headers).status_code == 403
    assert client_of(keyed).get(STATUS, headers={**headers, "X-API-Key": KEY.encode()}).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_a_body_that_a_browser_sends_without_asking_is_refused(
    backend: FakeBackend, content_type: Any, client_of: ClientOf
) -> None:
    backend.add(an_alert())
    headers = {"Content-Type": content_type} if content_type else {}
    assert client_of(backend).post(ACT, content=b'{"by": "me"}', headers=headers).status_code == 415


def test_a_large_body_is_refused_by_what_it_declares_and_by_what_it_is(
    backend: FakeBackend, client_of: ClientOf
) -> None:
    backend.add(an_alert())
    client = client_of(backend)
    json = {"Content-Type": "application/json"}
    assert client.post(ACT, content=b"x" * 100_000, headers=json).status_code == 413
    assert client.post(ACT, content=(b"x" * 1000 for _ in range(100)), headers=json).status_code == 413
    assert client.post(ACT, content=b"{}", headers={**json, "Content-Length": "nonsense"}).status_code == 413


async def their_auth(authorization: str = Header(default="")) -> None:
    if authorization != "token":
        raise HTTPException(401, {"reason": "who are you?"}, {"WWW-Authenticate": "Digest"})


def embedded(backend: FakeBackend) -> Any:
    app = FastAPI(dependencies=[Depends(lambda: pytest.fail("an application-wide dependency ran"))])
    app.router.routes += build_router(backend).routes
    return app


def test_the_applications_own_rule_decides_before_a_body_is_read(clock: FakeClock) -> None:
    backend = FakeBackend(clock, Access(dependency=their_auth))
    backend.add(an_alert())
    client = TestClient(embedded(backend), client=("203.0.113.7", 1), base_url="https://shop.example")
    answer = client.post(ACT, content=b"{broken", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Digest")
    assert answer.json()["errors"] == {"reason": "who are you?"}
    assert client.post(ACT, json={}, headers={"Authorization": "token"}).status_code == 200


def test_what_their_rule_raises_beside_http_errors_reaches_their_handler(clock: FakeClock) -> None:
    class NotLoggedIn(Exception):
        pass

    async def refuse() -> None:
        raise NotLoggedIn

    app = embedded(FakeBackend(clock, Access(dependency=refuse)))

    async def to_login(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("log in first", 418)

    app.add_exception_handler(NotLoggedIn, to_login)
    assert TestClient(app).get(STATUS).status_code == 418


def test_a_session_ends(clock: FakeClock) -> None:
    door = Door(Access(api_key="k"), lambda: clock.now().timestamp())
    session = door.session("k")
    assert session is not None
    assert door._is_open(session, "k")
    assert not door._is_open(session, "another key")
    assert not door._is_open(session.replace(session[0], "9", 1), "k")
    assert not door._is_open("", "k")
    clock.advance(13 * 3600)
    assert not door._is_open(session, "k")
    assert door.session("wrong") is None
