"""Label matchers: the four tests that a selector makes of a label's value."""

from collections.abc import Callable
from enum import StrEnum

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

    def __repr__(self) -> str:
        return f"Matcher({self.name}{self.operator}{self.value!r})"
