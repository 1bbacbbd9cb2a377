"""Sets of characters, as predicates."""

import string
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

CharacterSet = Callable[[str], bool]


def everything(_character: str) -> bool:
    """All characters."""
    return True


def but_newline(character: str) -> bool:
    """All characters but the newline."""
    return character != "\n"


def single(wanted: str) -> CharacterSet:
    """The one character *wanted*."""
    return wanted.__eq__


def span(low: str, high: str) -> CharacterSet:
    """The characters from *low* to *high*, both included."""
    return lambda character: low <= character <= high


def any_of(sets: Sequence[CharacterSet]) -> CharacterSet:
    """The union of *sets*."""
    if len(sets) == 1:
        return sets[0]
    return lambda character: any(accepts(character) for accepts in sets)


def inverse(accepts: CharacterSet) -> CharacterSet:
    """The characters that *accepts* does not hold."""
    return lambda character: not accepts(character)


def fold(accepts: CharacterSet) -> CharacterSet:
    """*accepts* without regard to case."""
    return lambda character: any(accepts(form) for form in {character, character.lower(), character.upper()})


def unicode_class(name: str) -> CharacterSet | None:
    """The characters of a general category such as `L` or `Lu`; None where there is none of that name."""
    if name not in _CATEGORIES:
        return None
    return lambda character: unicodedata.category(character).startswith(name)


def _among(characters: str) -> CharacterSet:
    return frozenset(characters).__contains__


_MAJOR_CATEGORIES: Final = {"L": "ultmo", "M": "nce", "N": "dlo", "P": "cdseifo", "S": "mcko", "Z": "slp", "C": "cfsn"}
_CATEGORIES: Final = frozenset(
    [*_MAJOR_CATEGORIES, *(major + minor for major, minors in _MAJOR_CATEGORIES.items() for minor in minors), "Co"]
)
_DIGIT: Final = _among(string.digits)
_WORD: Final = _among(string.ascii_letters + string.digits + "_")
_PERL_SPACE: Final = _among("\t\n\f\r ")

ESCAPED_CLASSES: Final[dict[str, CharacterSet]] = {
    "d": _DIGIT,
    "D": inverse(_DIGIT),
    "s": _PERL_SPACE,
    "S": inverse(_PERL_SPACE),
    "w": _WORD,
    "W": inverse(_WORD),
}
POSIX_CLASSES: Final[dict[str, CharacterSet]] = {
    "alnum": _among(string.ascii_letters + string.digits),
    "alpha": _among(string.ascii_letters),
    "ascii": str.isascii,
    "blank": _among("\t "),
    "cntrl": lambda character: character < " " or character == "\x7f",
    "digit": _DIGIT,
    "graph": lambda character: "!" <= character <= "~",
    "lower": _among(string.ascii_lowercase),
    "print": lambda character: " " <= character <= "~",
    "punct": _among(string.punctuation),
    "space": _among("\t\n\v\f\r "),
    "upper": _among(string.ascii_uppercase),
    "word": _WORD,
    "xdigit": _among(string.hexdigits),
}


def is_word(character: str) -> bool:
    """Whether *character* is part of a word, between whose ends boundaries lie."""
    return _WORD(character)
