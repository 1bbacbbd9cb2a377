"""What an agent answers without the API: the same as the API, and to nobody whom that would refuse."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.test_monitor import monitor_of, settings, waiting

from dozor import Dozor
from dozor.api.auth import gate
from dozor.api.backend import Access
from dozor.monitor import Monitor
from dozor.plain_answers import PlainAnswers, plainly_allowed

KEY = "s3cret"
LOCAL: Any = ("127.0.0.1", 4711)
FAR: Any = ("192.0.2.7", 4711)


def scope(*headers: tuple[str, str], client: Any = LOCAL, method: str = "GET") -> dict[str, Any]:
    """A request's, as a server gives it."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": method, "path": "/metrics", "headers": raw, "client": client}


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (scope(("host", "localhost:8002")), None),
        (scope(("host", "127.0.0.1")), None),
        (scope(("host", "[::1]:8002"), client=("::1", 4711)), None),
        (scope(("X-API-Key", KEY), client=FAR), KEY),
        (scope(("authorization", f"Bearer {KEY}"), client=FAR), KEY),
    ],
)
def test_a_scraper_whose_right_is_plain_is_answered(asked: dict[str, Any], key: str | None) -> None:
    assert plainly_allowed(asked, key)


HOST = ("host", "localhost:8002")


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (scope(), None),
        (scope(HOST, client=FAR), None),
        (scope(HOST, client=None), None),
        (scope(("host", "dozor.example")), None),
        (scope(HOST, HOST), None),
        *[
            (scope(HOST, (name, "x")), None)
            for name in ("Origin", "forwarded", "X-Forwarded-For", "via", "content-length")
        ],
        (scope(HOST), KEY),
        (scope(("x-api-key", "wrong")), KEY),
        (scope(("x-api-key", KEY), ("x-api-key", KEY)), KEY),
        (scope(("x-api-key", KEY), ("authorization", "Bearer wrong")), KEY),
        (scope(("x-api-key", KEY), ("origin", "https://elsewhere.example")), KEY),
        (scope(("authorization", f"Basic {KEY}")), KEY),
        (scope(("x-api-key", "")), KEY),
    ],
)
def test_all_others_are_left_to_the_api(asked: dict[str, Any], key: str | None) -> None:
    assert not plainly_allowed(asked, key)


NAMES = st.sampled_from(
    [
        "host",
        "Host",
        "x-api-key",
        "authorization",
        "origin",
        "sec-fetch-site",
        "via",
        "x-forwarded-for",
        "accept",
        "x-real-ip",
    ]
)
VALUES = st.sampled_from(
    [
        KEY,
        f"Bearer {KEY}",
        f"bearer {KEY}",
        "",
        "localhost",
        "localhost:80",
        "127.0.0.1:1",
        "[::1]",
        "a.example",
        "none",
        "same-origin",
    ]
) | st.text(st.characters(codec="latin-1"), max_size=8)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    st.sampled_from([LOCAL, ("::1", 1), FAR, ("", 0), None]),
    st.sampled_from([None, KEY, "", "Bearer"]),
)
def test_nobody_is_let_in_whom_the_api_refuses(headers: list[tuple[str, str]], client: Any, key: str | None) -> None:
    asked = scope(client=client)
    asked["headers"] = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    if plainly_allowed(asked, key):
        lower = [(name.lower(), value) for name, value in asked["headers"]]  # as servers give them
        asyncio.run(_pass(Access(key), Request({**asked, "headers": lower})))


async def _pass(access: Access, request: Request) -> None:
    await gate(access)(request)


def _answers(monitor: Monitor, key: str | None = None) -> PlainAnswers:
    return PlainAnswers(monitor.clock, key, monitor.known, lambda: monitor._session)


def test_they_say_what_the_api_says(tmp_path: Path) -> None:
    given = settings(tmp_path, redis_urls="gone=redis://127.0.0.1:9/0")
    with Dozor(name="plain", settings=given) as dozor:
        monitor = monitor_of(dozor)
        api = TestClient(monitor.reception.application(), base_url="http://localhost", client=LOCAL)
        plain = _answers(monitor)
        waiting(lambda: plain.readiness(scope(HOST)).status == 503)
        ready, theirs = plain.readiness(scope(HOST)), api.get("/readyz")
        assert (ready.status, json.loads(ready.body)) == (theirs.status_code, theirs.json())
        for accept in ("text/plain", "application/openmetrics-text"):
            waiting(partial(_as_by_the_api, plain, api, accept))
        assert "# TYPE redis_connected gauge" in _exposed(plain, "text/plain")[1]
        assert plain.exposition(scope(HOST, client=FAR)) is None
        assert plain.exposition(scope(HOST, method="HEAD")) is None
        assert _answers(monitor, KEY).exposition(scope(HOST)) is None
    assert plain.exposition(scope(HOST)) is None


def _as_by_the_api(plain: PlainAnswers, api: TestClient, accept: str) -> bool:
    return _exposed(plain, accept) == _exposed_by_api(api, accept)


def _exposed(plain: PlainAnswers, accept: str) -> tuple[str, list[str]]:
    """The media type, and the names; values change from one moment to the next."""
    said = plain.exposition(scope(HOST, ("accept", accept)))
    assert said is not None
    return said.kind.decode(), [line for line in said.body.decode().splitlines() if line.startswith("# TYPE")]


def _exposed_by_api(api: TestClient, accept: str) -> tuple[str, list[str]]:
    theirs = api.get("/metrics", headers={"accept": accept})
    return theirs.headers["content-type"], [line for line in theirs.text.splitlines() if line.startswith("# TYPE")]
