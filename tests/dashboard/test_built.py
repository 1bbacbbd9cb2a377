"""The built page beside the one without JavaScript: how a document is taken over, and what stays when there is nothing to."""

import gzip
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend, an_alert
from tests.dashboard.reader import Page, page_of

from dozor import dashboard
from dozor.api import PREFIX, create_app
from dozor.api.backend import Access
from dozor.dashboard import built
from dozor.dashboard.built import BuiltFile, BuiltPage
from dozor.testing import FakeClock

SCRIPT = BuiltFile(gzip.compress(b"take(over)"), "text/javascript; charset=utf-8")
STYLE = BuiltFile(gzip.compress(b"p{}"), "text/css; charset=utf-8")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> BuiltPage:
    made = BuiltPage("app-1.js", "app-2.css", [], {"app-1.js": SCRIPT, "app-2.css": STYLE})
    _put(monkeypatch, made)
    return made


def _put(monkeypatch: pytest.MonkeyPatch, made: BuiltPage | None) -> None:
    for module in ("built", "page", "routes"):
        monkeypatch.setattr(f"dozor.dashboard.{module}.built_page", lambda: made)


@pytest.fixture
def client(clock: FakeClock, page: BuiltPage) -> TestClient:
    backend = FakeBackend(clock)
    backend.add(an_alert())
    return TestClient(create_app(backend, pages=dashboard), base_url="http://localhost")


@pytest.mark.parametrize(
    ("path", "root", "api"),
    [
        ("/", "./", "./api/v1/monitoring/"),
        ("/alert/a1", "../", "../api/v1/monitoring/"),
        ("/silence", "./", "./api/v1/monitoring/"),
        (f"{PREFIX}/", "./", "./"),
        (f"{PREFIX}/alert/a1", "../", "../"),
    ],
)
def test_a_document_says_what_takes_it_over_and_where_the_api_is(
    client: TestClient, path: str, root: str, api: str
) -> None:
    document = page_of(client, path)
    (html,) = document.all("html")
    assert (html["data-root"], html["data-api"]) == (root, api)
    assert {"rel": "stylesheet", "media": "not all", "href": f"{root}app/app-2.css"} in document.all("link")
    assert document.all("script") == [{"type": "module", "src": f"{root}app/app-1.js"}]
    assert document.all("main"), "and without scripts it is a page all the same"


@pytest.mark.parametrize("path", ["/?plain", "/docs", "/channel"])
def test_what_is_meant_to_stay_as_it_is_is_not_taken_over(client: TestClient, path: str) -> None:
    assert page_of(client, path).all("script") == []


def test_the_document_refreshes_itself_only_where_scripts_do_not_run(client: TestClient) -> None:
    said = client.get("/").text
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in said
    assert said.count("http-equiv") == 1


@pytest.mark.parametrize("base", ["/", f"{PREFIX}/"])
def test_the_files_are_kept_for_ever_and_packed_for_those_who_can_unpack(client: TestClient, base: str) -> None:
    plain = client.get(f"{base}app/app-1.js", headers={"Accept-Encoding": "identity"})
    assert (plain.content, plain.headers["content-type"]) == (SCRIPT.content, SCRIPT.media_type)
    assert "immutable" in plain.headers["cache-control"]
    assert plain.headers["x-content-type-options"] == "nosniff"
    with client.stream("GET", f"{base}app/app-1.js", headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        assert b"".join(packed.iter_raw()) == SCRIPT.packed
    assert plain.headers["vary"] == "Accept-Encoding"
    assert client.get(f"{base}app/page.json").status_code == 404
    assert client.get(f"{base}app/..%2fstyle.css").status_code == 404


def test_a_document_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/alert/a1")
    again = client.get("/alert/a1", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert client.get("/alert/a1", headers={"If-None-Match": '"other"'}).status_code == 200


def test_with_a_key_the_sign_in_is_taken_over_too_and_the_files_need_none(clock: FakeClock, page: BuiltPage) -> None:
    app = create_app(FakeBackend(clock, Access(api_key="right")), pages=dashboard)
    client = TestClient(app, client=("203.0.113.7", 1))
    asked = client.get("/")
    assert asked.status_code == 401
    (script,) = Page(asked.text).all("script")
    assert client.get(f"/{script['src']}").status_code == 200


def test_without_the_built_page_it_says_so_and_works(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(monkeypatch, None)
    client = TestClient(create_app(FakeBackend(clock), pages=dashboard))
    document = page_of(client)
    assert document.all("script") == []
    assert "not in this installation" in document.text
    assert "All is well" in document.text
    assert client.get("/app/app-1.js").status_code == 404


@pytest.mark.parametrize("label", ["", "{}", "[]", '{"script": "gone.js", "style": "gone.css", "parts": []}'])
def test_a_page_that_is_not_whole_is_none(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, label: str) -> None:
    (tmp_path / "page.json").write_text(label)
    monkeypatch.setattr(built, "_FOLDER", tmp_path)
    assert built.built_page.__wrapped__() is None
