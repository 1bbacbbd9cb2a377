"""Label matchers: the four tests that a selector makes of a label's value, and Alertmanager's way to write one alone."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from typing_extensions import override

from dozor.store.regex import compile_anchored


class MatchOperator(StrEnum):
    """The operators by their signs."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


class Matcher:
    """One test of one label. An absent label has the empty value. Immutable and hashable.

    Raises:
        ValueError: the regular expression is malformed or too large.
    """

    __slots__ = ("_hash", "accepts", "literals", "matches_empty", "name", "operator", "value")

    accepts: Callable[[str], bool]
    """Whether a value passes."""

    def __init__(self, name: str, operator: MatchOperator | str, value: str) -> None:
        self.name, self.operator, self.value = name, MatchOperator(operator), value
        self.literals: frozenset[str] | None = None
        """For a positive matcher, all values that can pass, where they can be listed."""
        self.accepts = self._test()
        self.matches_empty = self.accepts("")
        self._hash = hash((name, self.operator, value))

    def _test(self) -> Callable[[str], bool]:
        if self.operator is MatchOperator.EQUAL:
            self.literals = frozenset([self.value])
            return self.value.__eq__
        if self.operator is MatchOperator.NOT_EQUAL:
            return self.value.__ne__
        pattern = compile_anchored(self.value)
        if self.operator is MatchOperator.REGEX:
            self.literals = pattern.literals
            return pattern.matches
        return lambda value: not pattern.matches(value)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Matcher)
            and self.name == other.name
            and self.operator is other.operator
            and self.value == other.value
        )

    def __hash__(self) -> int:
        return self._hash

    @override
    def __str__(self) -> str:
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{value}"'

    def __repr__(self) -> str:
        return f"Matcher({self.name}{self.operator}{self.value!r})"


_MATCHER: Final = re.compile(
    r"""\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<operator>=~|!~|!=|=)\s*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^"\s,{}]*))\s*""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", '"': '"', "\\": "\\"}


def parse_matcher(text: str) -> Matcher:
    """One matcher, as Alertmanager and its tools write it: `severity="critical"`, `pool=~"main|jobs"`, `team=a`.

    Raises:
        ValueError: it is none; the message says how to write one.
    """
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ValueError(f'{text[:80]!r} is not a matcher; write it like severity="critical" or pool=~"main|jobs"')
    quoted = found["quoted"]
    value = found["bare"] if quoted is None else _ESCAPE.sub(lambda at: _ESCAPED.get(at[1], at[0]), quoted)
    try:
        return Matcher(found["name"], found["operator"], value)
    except ValueError as error:
        raise ValueError(f"{text[:80]!r}: {error}") from None


def match_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether each of *matchers* accepts *labels*, in which an absent label is empty."""
    return all(matcher.accepts(labels.get(matcher.name, "")) for matcher in matchers)
