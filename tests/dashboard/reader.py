"""Reads pages as a browser would, strictly."""

from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient


class Page(HTMLParser):
    """The elements of a page with their attributes, its text, and the nesting checked."""

    VOID = frozenset({"meta", "link", "input", "br"})

    def __init__(self, markup: Any) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: Any, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: Any) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: Any) -> None:
        self.text += data

    def all(self, tag: Any) -> Any:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(client: TestClient, path: str = "/") -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)
