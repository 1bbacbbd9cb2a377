from hypothesis import given
from hypothesis import strategies as st

from dozor.instruments.text import printable


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(1, 100))
def test_escaped_text_is_printable_and_bounded(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


def test_printable_text_stays_as_it_is() -> None:
    assert printable("ключ 🔑 <b>") == "ключ 🔑 <b>"


def test_control_characters_are_escaped() -> None:
    assert printable("\x1b[31m\r\n\udcff") == "\\x1b[31m\\r\\n\\udcff"
