"""The flags of `dozor serve` mean the same whoever reads them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.cli.app import app
from dozor.cli.serve_flags import FLAGS, plain_flags

# No system hands a program an argument with a NUL in it.
_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12).filter(
    lambda text: not text.startswith("-")
)
_PAIRS = st.lists(st.tuples(st.sampled_from(sorted(FLAGS)), _VALUES, st.booleans()), max_size=8)


def _as_typer_reads(arguments: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def serve(flags: dict[str, Any]) -> int:
        found.update(flags)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dozor.cli.serve.serve", serve)
        app(["serve", *arguments], standalone_mode=False)
    given = {key: value for key, value in found.items() if value is not None and value != []}
    return {
        key: list(map(str, value)) if isinstance(value, list | tuple) else str(value) for key, value in given.items()
    }


@given(_PAIRS)
def test_they_are_read_as_typer_reads_them(pairs: list[tuple[str, str, bool]]) -> None:
    arguments = [word for flag, value, joined in pairs for word in ([f"{flag}={value}"] if joined else [flag, value])]
    read = plain_flags(arguments)
    assert read is not None
    theirs = _as_typer_reads(arguments)
    if "config" in read:  # a path, which typer writes anew: a//b is a/b
        assert "config" in theirs
        del read["config"], theirs["config"]
    assert read == theirs


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--nonsense", "x"],
        ["--port"],
        ["--port", ""],
        ["--port="],
        ["--host", "--help"],
        ["--", "x"],
        ["x"],
    ],
)
def test_all_else_is_left_to_typer(arguments: list[str]) -> None:
    assert plain_flags(arguments) is None
