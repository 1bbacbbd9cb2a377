"""At which line something is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.settings.toml_lines import line_at, lines_of

TEXT = """\
name = "x"   # 1
[cooldown]
warning = "5m"
cooldown.info = "1m"

[channels.ops] # a comment
"type" = "slack"
[channels.'two.words']
type = "slack"

[[routes]]
to = ["a"]
[[routes]]
to = ["b"]
match = [
  "a=b",
]
[ spaced . out ]
key = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("name", 1),
        ("cooldown", 2),
        ("cooldown warning", 3),
        ("cooldown cooldown info", 4),
        ("channels ops", 6),
        ("channels ops type", 7),
        ("channels two.words type", 9),
        ("routes 1", 11),
        ("routes 1 to", 12),
        ("routes 2 to", 14),
        ("routes 2 match", 15),
        ("routes 2 continue", 13),
        ("spaced out key", 19),
        ("nowhere", 1),
    ],
)
def test_a_key_is_found_or_what_holds_it(path: str, line: int) -> None:
    assert line_at(lines_of(TEXT), tuple(path.split())) == line


@given(st.text() | st.text("[]a.\"'= \n#"))
def test_any_text_has_lines(content: str) -> None:
    lines = lines_of(content)
    assert all(1 <= line <= len(content.splitlines()) for line in lines.values())
