"""/docs: the OpenAPI document as a page of our own, since the usual ones come from other people's servers."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

from dozor.dashboard.html import Html, el, join
from dozor.dashboard.page import document
from dozor.dashboard.parts import table

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_GOOD: Final = ("200", "201")


def docs_page(openapi: Mapping[str, Any], *, address: str, style: str) -> str:
    """What *openapi* describes. *address* is where it is served, for the commands to be copied."""
    operations = [
        (path, method, operation)
        for path, item in openapi["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    schemas = openapi.get("components", {}).get("schemas", {})
    info = openapi["info"]
    body = join(
        el("header", el("p", el("a", "← Overview", href="./")), el("p", el("a", "openapi.json", href="openapi.json"))),
        el(
            "main",
            el("h1", f"{info['title']} {info['version']}: the API"),
            el("p", info.get("description", ""), class_="description"),
            el("p", "Where a key is set, send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'.", class_="hint"),
            *_groups(operations, schemas, address),
        ),
        el("footer", el("p", f"{len(operations)} operations")),
    )
    return document(f"API · {info['title']}", body, base="./", style=style)


def _groups(operations: list[tuple[str, str, Any]], schemas: Mapping[str, Any], address: str) -> list[Html]:
    tags: dict[str, list[Html]] = {}
    for path, method, operation in operations:
        tag = (operation.get("tags") or ["other"])[0]
        tags.setdefault(tag, []).append(_operation(path, method, operation, schemas, address))
    return [el("section", el("h2", tag.capitalize()), *shown) for tag, shown in tags.items()]


def _operation(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any], address: str) -> Html:
    sent = _example(operation.get("requestBody", {}).get("content", {}), schemas)
    answered: Mapping[str, Any] = next(
        (found for status, found in operation["responses"].items() if status in _GOOD), {}
    )
    got = _example(answered.get("content", {}), schemas)
    return el(
        "details",
        el(
            "summary",
            el("span", method.upper(), class_=f"method {method}"),
            el("code", path),
            el("span", operation.get("summary", ""), class_="dim"),
        ),
        el(
            "div",
            el("p", operation.get("description", "")),
            _parameters(operation.get("parameters", []), schemas),
            join(el("h3", "Try it"), el("pre", el("code", _curl(path, method, sent, address)), tabindex="0")),
            None if got is None else join(el("h3", "Answer"), el("pre", el("code", _written(got)), tabindex="0")),
            _statuses(operation["responses"]),
        ),
        class_="operation",
        id=operation.get("operationId"),
    )


def _parameters(parameters: list[Any], schemas: Mapping[str, Any]) -> Html | None:
    if not parameters:
        return None
    rows = []
    for parameter in parameters:
        schema = parameter.get("schema", {})
        rows.append([
            el("code", parameter["name"]),
            el("span", parameter["in"]),
            el("span", _type(schema, schemas)),
            el("span", parameter.get("description", "")),
        ])  # fmt: skip
    return table("Parameters", [("Parameter", ""), ("In", ""), ("Type", ""), ("Meaning", "")], rows)


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    one: Mapping[str, Any] = next((one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"), {})
    one = schemas.get(one.get("$ref", "").rpartition("/")[2], one)
    said = f"one of {', '.join(map(str, one['enum']))}" if "enum" in one else str(one.get("type", "any"))
    if "minimum" in one and "maximum" in one:
        said += f", {one['minimum']} to {one['maximum']}"
    if one.get("format"):
        said += f" ({one['format']})"
    return said if schema.get("default") is None else f"{said}, default {schema['default']}"


def _statuses(responses: Mapping[str, Any]) -> Html:
    rows = [
        [el("code", status), el("span", response.get("description", ""))]
        for status, response in sorted(responses.items())
        if status not in _GOOD
    ]
    return table("Other answers", [("Otherwise", ""), ("When", "")], rows) if rows else el("span")


def _example(content: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    for media in content.values():
        if "example" in media:
            return media["example"]
        schema = media.get("schema", {})
        schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        if schema.get("examples"):
            return schema["examples"][0]
    return None


def _written(example: Any) -> str:
    return example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)


def _curl(path: str, method: str, body: Any, address: str) -> str:
    url = address.rstrip("/") + re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), path)
    parts = ["curl"]
    if method != "get":
        parts += ["-X", method.upper()]
    if body is not None:
        parts += ["-H", "Content-Type: application/json", "-d", json.dumps(body, ensure_ascii=False)]
    return " ".join(shlex.quote(part) for part in [*parts, url])
