"""Looks over an expression before the parser sees it.

The parser recurses: 30,000 parentheses end the process with a segmentation fault, and 3,000 take seconds. No rule that a
person wrote comes near these bounds.
"""

import re
from typing import Final

from dozor.errors import PromQLError, QueryLimitError

MAX_LENGTH: Final = 32_768
MAX_DEPTH: Final = 64
MAX_OPERATORS: Final = 250

_QUOTES: Final = frozenset("\"'`")
_SKIPPED: Final = _QUOTES | {"#", "_"}
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")
_OPERATORS: Final = frozenset("+-*/%^<>=!")
_WORD: Final = re.compile(r"[\w:]+")
_WORD_OPERATORS: Final = frozenset({"and", "or", "unless", "atan2"})


def check(expression: str) -> None:
    """Raise QueryLimitError where *expression* is too much for the parser, PromQLError where it is plainly wrong."""
    if len(expression) > MAX_LENGTH:
        raise QueryLimitError(f"the expression has {len(expression)} characters, {MAX_LENGTH} are allowed")
    depth = operators = at = 0
    while at < len(expression):
        character = expression[at]
        if character in _SKIPPED or character.isalpha():
            at = _end_of_skipped(expression, at)
        elif character in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise QueryLimitError(f"the expression is nested deeper than {MAX_DEPTH} levels")
        elif character in _CLOSING:
            depth -= 1
        elif character in _OPERATORS:
            operators += 1
        elif character == "@" and expression[at + 1 :].lstrip().startswith("-"):
            # The parser's bindings abort on it, and nothing is stored of that time.
            raise PromQLError("the @ modifier cannot name a time before 1970")
        at += 1
    operators += sum(word in _WORD_OPERATORS for word in expression.lower().split())
    if operators > MAX_OPERATORS:
        raise QueryLimitError(f"the expression has more than {MAX_OPERATORS} operators")


def _end_of_skipped(expression: str, at: int) -> int:
    """The last place of the text, comment or word that begins at *at*."""
    if expression[at] in _QUOTES:
        return _end_of_text(expression, at)
    if expression[at] == "#":
        end = expression.find("\n", at)
        return len(expression) if end < 0 else end
    return _end_of_word(expression, at) - 1


def _end_of_text(expression: str, at: int) -> int:
    """The place of the quote that closes the text that begins at *at*."""
    quote, begin = expression[at], at
    at += 1
    while at < len(expression) and expression[at] != quote:
        at += 2 if expression[at] == "\\" and quote != "`" else 1
    if at >= len(expression):
        raise PromQLError(f"the text that begins at character {begin + 1} has no closing {quote}")
    return at


def _end_of_word(expression: str, at: int) -> int:
    word = _WORD.match(expression, at)
    return at if word is None else word.end()
