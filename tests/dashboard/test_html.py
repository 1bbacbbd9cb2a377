"""Text becomes text, whatever it holds."""

from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dozor.dashboard.html import Html, el, join, text, told


class Reader(HTMLParser):
    """What a browser would see: the elements, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said = ""
        self.attributes: dict[str, str | None] = {}

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes.update(attrs)

    def handle_data(self, data: Any) -> None:
        self.said += data


def read(markup: Any) -> Any:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    return reader


def test_an_element_with_attributes_and_children() -> None:
    drawn = el("p", "a < b", el("b", 3), None, class_="x", aria_label='"', hidden=True, title=None, draggable=False)
    assert drawn == '<p class="x" aria-label="&quot;" hidden>a &lt; b<b>3</b></p>'
    assert isinstance(drawn, Html)
    assert el("input", name="a") == '<input name="a">'


def test_only_markup_made_here_stays_markup() -> None:
    assert join("<i>", el("i")) == "&lt;i&gt;<i></i>"


@given(st.text())
def test_any_text_is_one_piece_of_text(said: Any) -> None:
    reader = read(el("p", said, title=said))
    assert reader.tags == ["p"]
    assert set(reader.attributes) == {"title"}
    assert "<" not in text(said)


def test_control_characters_are_made_visible() -> None:
    assert text("a\x00b\x1bc\nd") == "a\ufffdb\ufffdc\nd"


def test_what_somebody_else_chose_is_cut_and_keeps_its_direction_to_itself() -> None:
    assert told("\u202eabc", 10) == "<bdi>\u202eabc</bdi>"
    assert told("x" * 11, 10) == f"<bdi>{'x' * 9}…</bdi>"
