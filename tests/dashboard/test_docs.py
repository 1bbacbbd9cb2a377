"""/docs: the description of the API, from this origin alone."""

import shlex

from fastapi.testclient import TestClient
from tests.dashboard.reader import Page, page_of

from dozor.dashboard.docs import docs_page


def test_every_operation_is_described_with_a_command_to_copy(client: TestClient) -> None:
    page = page_of(client, "/docs")
    described = client.get("/openapi.json").json()["paths"]
    for path in described:
        assert path in page.text
    assert "curl -X POST -H 'Content-Type: application/json' -d" in page.text
    assert "http://localhost/api/v1/monitoring/alerts/ALERT_ID/silence" in page.text
    assert "integer, 1 to 1000, default 100" in page.text
    assert "one of INFO, WARNING, CRITICAL, EMERGENCY" in page.text


def test_nothing_is_loaded_from_elsewhere(client: TestClient) -> None:
    names = {name for name, _ in page_of(client, "/docs").elements}
    assert not names & {"script", "img", "iframe"}


def test_a_sparse_description_is_no_error() -> None:
    schema = {"$ref": "#/components/schemas/Gone"}
    operation = {
        "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
        "parameters": [{"name": "x", "in": "query"}, {"name": "y", "in": "query", "schema": {"$ref": "#/z/Kind"}}],
        "requestBody": {"content": {"application/json": {"example": {"it's": "<b>"}}}},
    }
    openapi = {"info": {"title": "T", "version": "1"}, "paths": {"/a": {"post": operation, "summary": "no operation"}}}
    page = Page(docs_page(openapi, address="http://h/", style="s.css"))
    command = next(line for line in page.text.split("curl")[1:])
    assert "1 operations" in page.text
    assert "http://h/a" in command
    assert shlex.split("curl" + command.split("http://h/a")[0])[-1] == '{"it\'s": "<b>"}'
