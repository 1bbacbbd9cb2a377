"""SQL text that may be shown: every literal replaced, in time linear in its length.

The lexer fails closed. Where a character means one thing in one dialect and another in the next (a backslash before a
quote, a comment inside a comment), or means nothing at all, the rest of the statement is replaced by `…`. So what stands in
the result was recognised as a keyword, a name, a bind marker or an operator, or is there in the place of a literal.
"""

import re
from collections.abc import Callable
from typing import Final

from dozor.instruments.redaction_output import LITERAL, Output, OutputFull

MOST_READ: Final = 16 * 1024

# Where a double-quoted text is always a name. In MySQL it is a string; SQLite takes it for one if no column has that name;
# SQL Server does so by a setting.
_POSTGRES: Final = frozenset({"postgresql", "cockroachdb", "redshift"})
_MYSQL: Final = frozenset({"mysql", "mariadb"})
_QUOTED_NAMES: Final = _POSTGRES | {"oracle", "snowflake"}
_BACKTICK_NAMES: Final = _MYSQL | {"sqlite"}
_BRACKET_NAMES: Final = frozenset({"mssql", "sqlite"})
_DOLLAR_QUOTES: Final = _POSTGRES | {"snowflake"}
_HASH_IN_NAMES_OR_OPERATORS: Final = _POSTGRES | {"oracle", "mssql"}
_NUMERIC_COLON_MARKS: Final = frozenset({"oracle", "sqlite"})
_KNOWN: Final = _QUOTED_NAMES | _BACKTICK_NAMES | _BRACKET_NAMES

# No possessive quantifiers and no atomic groups: those of Python 3.11.0 to 3.11.3 match wrongly (cpython#101955). None is
# needed: no pattern here has two ways to match the same text, so there is nothing to go back to.
_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\r\n\f\v]+)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>(?:\d|\.\d)(?:[eE][+-]\d|[\w.])*)
  | (?P<mark>%\(\w+\)s | %s(?!\w) | :[^\W\d]\w* | @@?[^\W\d]\w* | ::)
  | (?P<special>['"`$\#\[:?] | --? | /\*?)
  | (?P<sign>[,;.()=<>!+*%&|^~@{}\]])
    """,
    re.VERBOSE,
)
# Long stretches that need no closer look are read in one go; token by token, the result would be the same. A word that
# may change the meaning of what follows is not part of a stretch.
_PLAIN_WORD: Final = r"(?!(?i:in|values|set|identified|pragma|e|n|b|x|q|nq|u)\b)[^\W\d][\w$]*"
_PLAIN_SIGN: Final = r"\.(?!\d)|[,;=<>!+*&|^~{}\]]"
_PLAIN_VALUE: Final = r"(?:\?(?!\d)|%\(\w+\)s|%s(?!\w)|:[^\W\d]\w*|\$\d+(?:::\w+)?|(?:\d|\.\d)[\w.]*|'[^'\\]*'(?!'))"
_PLAIN_VALUES: Final = rf"\(\s*{_PLAIN_VALUE}\s*(?:,\s*{_PLAIN_VALUE}\s*)*\)"
_STRETCH: Final = re.compile(rf"(?:(?:{_PLAIN_WORD}|{_PLAIN_SIGN})[ ]?)+")
_LIST: Final = re.compile(_PLAIN_VALUES)
_ROWS: Final = re.compile(rf"(?:,\s*{_PLAIN_VALUES}\s*)+")
_ROW_STRETCH: Final = re.compile(rf"(?:{_PLAIN_WORD}|{_PLAIN_SIGN}|\s+|(?:\d|\.\d)[\w.]*)+")
_DOLLAR_TAG: Final = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_DOLLAR_NUMBER: Final = re.compile(r"\$\d{1,5}(?![\w.$])")
_DOLLAR_NAME: Final = re.compile(r"\$[^\W\d]\w*(?![\w$])")
_SIGN_NUMBER: Final = re.compile(r"[?:]\d{1,5}(?![\w.])")
_NAME: Final = re.compile(r"[\w$#@ .\-]{1,128}")
_ESCAPE_STRING: Final = re.compile(r"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'(?!')", re.DOTALL)
_STRING_PREFIXES: Final = frozenset({"e", "n", "b", "x"})
_ORACLE_QUOTES: Final = {"[": "]", "{": "}", "(": ")", "<": ">"}
# What follows these words may be a secret that is not quoted: IDENTIFIED BY hunter2, PRAGMA key = hunter2.
_SECRET_AFTER: Final = frozenset({"identified", "pragma"})
_LONGEST_NAME: Final = 130


class _Unexpected(Exception):  # noqa: N818 - ends the reading, not the program
    """From here on the text is not understood."""


def redact(statement: str, dialect: str = "") -> str:
    """*statement* without its literals, comments and superfluous space; at most 2 KiB in UTF-8.

    Literals become `?`, bind markers stay, a list of values after IN becomes `(...)`, further rows of VALUES `...`.
    *dialect* is SQLAlchemy's name of the dialect; of an unknown one only what is safe in all is kept.
    Redacting what has been redacted changes nothing.
    """
    output = Output()
    try:
        _Lexer(statement[:MOST_READ], dialect, output).run()
        if len(statement) > MOST_READ:
            return output.cut()
        return output.finish()
    except (_Unexpected, OutputFull):
        return output.cut()


class _Lexer:
    """Reads *text* once, from its beginning to its end or to the first thing that it does not understand."""

    def __init__(self, text: str, dialect: str, output: Output) -> None:
        self._text, self._dialect, self._output = text, dialect, output
        self._position = 0
        self._spaced = False
        self._setting = False
        self._room = True
        self._specials: dict[str, Callable[[int], None]] = {
            "'": self._string,
            '"': self._double_quoted,
            "`": self._backticked,
            "[": self._bracket,
            "$": self._dollar,
            "#": self._hash,
            "?": self._numbered,
            ":": self._numbered,
            "--": self._dashes,
            "/*": self._comment,
        }

    def run(self) -> None:
        text, end = self._text, len(self._text)
        match = _TOKEN.match
        while self._position < end:
            if self._stretch():
                continue
            start = self._position
            token = match(text, start)
            if token is None:
                raise _Unexpected
            self._position = token.end()
            kind, found = token.lastgroup, token.group()
            if kind == "space":
                self._spaced = True
            elif kind == "special":
                handler = self._specials.get(found)
                if handler is None:  # a single - or /
                    self._emit(found)
                else:
                    handler(start)
            elif kind == "word":
                self._word(found)
            elif kind == "number":
                self._emit(LITERAL)
            else:
                self._sign(found, start)

    def _stretch(self) -> bool:
        """Read on as far as all is plain; False if nothing is."""
        output, text, start = self._output, self._text, self._position
        if output.skips:
            stretch = _ROW_STRETCH.match(text, start)
            if stretch is None:
                return False
        else:
            readable = self._room and output.plain and not self._setting
            stretch = _STRETCH.match(text, start) if readable else None
            if stretch is None:
                return False
            self._room = output.add_stretch(stretch.group(), spaced=self._spaced)
            if not self._room:  # the last tokens that fit are found one by one
                return False
            self._spaced = text[stretch.end() - 1] == " "
        self._position = stretch.end()
        return True

    def _emit(self, token: str) -> None:
        self._output.add(token, spaced=self._spaced)
        self._spaced = False

    def _literal(self, end: int) -> None:
        self._position = end
        self._emit(LITERAL)

    def _sign(self, sign: str, start: int) -> None:
        if self._setting and sign == "=":
            raise _Unexpected
        if sign == "(" and self._output.expects_values and (values := _LIST.match(self._text, start)):
            self._output.add_values(spaced=self._spaced)
            self._spaced, self._position = False, values.end()
            return
        if sign == "," and self._output.expects_rows and (rows := _ROWS.match(self._text, start)):
            self._output.skip_rows()
            self._spaced, self._position = self._text[rows.end() - 1].isspace(), rows.end()
            return
        self._emit(sign)

    def _word(self, word: str) -> None:
        lowered = word.lower()
        following = self._text[self._position : self._position + 2]
        if following[:1] == "'":
            if lowered in {"q", "nq"} and self._dialect not in _KNOWN - {"oracle"}:
                self._alternative_quote()
                return
            if lowered == "e" and self._dialect in _POSTGRES:
                self._escape_string()
                return
            if lowered in _STRING_PREFIXES:
                return  # the string itself comes next
        if lowered == "u" and following == "&'":
            self._position += 1
            return
        if self._setting and lowered == "to":
            raise _Unexpected
        if lowered == "set" and self._output.empty:
            self._setting = True  # SET name TO value, where the value need not be quoted
        self._emit(word)
        if lowered in _SECRET_AFTER:
            raise _Unexpected

    def _string(self, start: int) -> None:
        self._literal(self._end_of_quoted(start, "'"))

    def _escape_string(self) -> None:
        string = _ESCAPE_STRING.match(self._text, self._position)
        if string is None:
            raise _Unexpected
        self._literal(string.end())

    def _alternative_quote(self) -> None:
        # Oracle: q'[it's]'. In a dialect that is not known it may be that, or a name before a string.
        opening = self._text[self._position + 1 : self._position + 2]
        if self._dialect != "oracle" or not opening or opening.isspace():
            raise _Unexpected
        closing = _ORACLE_QUOTES.get(opening, opening) + "'"
        end = self._text.find(closing, self._position + 2)
        if end < 0:
            raise _Unexpected
        self._literal(end + 2)

    def _double_quoted(self, start: int) -> None:
        self._name(start, self._end_of_quoted(start, '"'), keep=self._dialect in _QUOTED_NAMES)

    def _backticked(self, start: int) -> None:
        if self._dialect not in _BACKTICK_NAMES:
            raise _Unexpected
        self._name(start, self._end_of_quoted(start, "`"), keep=True)

    def _bracket(self, start: int) -> None:
        if self._dialect in _POSTGRES:
            self._emit("[")
            return
        end = self._text.find("]", start, start + _LONGEST_NAME)
        if end < 0 or self._text.startswith("]]", end):
            raise _Unexpected
        if self._dialect in _BRACKET_NAMES:
            self._name(start, end + 1, keep=True)
        elif any(quote in self._text[start:end] for quote in "'\"`"):
            raise _Unexpected  # the name [it's], or an array of strings
        else:
            self._emit("[")

    def _name(self, start: int, end: int, *, keep: bool) -> None:
        # A name that looks like no name is replaced like a literal: better a `?` too many.
        self._position = end
        self._emit(self._text[start:end] if keep and _NAME.fullmatch(self._text, start + 1, end - 1) else LITERAL)

    def _end_of_quoted(self, start: int, quote: str) -> int:
        text = self._text
        if self._dialect not in _KNOWN and text.startswith(quote * 3, start):
            raise _Unexpected  # three quotes begin a string of its own kind in some dialects
        position = start + 1
        while (end := text.find(quote, position)) >= 0:
            before = end
            while text[before - 1] == "\\":
                before -= 1
            if (end - before) % 2:
                raise _Unexpected  # an escaped quote in MySQL, the end of the string elsewhere
            if not text.startswith(quote, end + 1):
                return end + 1
            position = end + 2
        raise _Unexpected

    def _dollar(self, start: int) -> None:
        text = self._text
        if self._dialect in _DOLLAR_QUOTES and (tag := _DOLLAR_TAG.match(text, start)):
            end = text.find(tag.group(), tag.end())
            if end < 0:
                raise _Unexpected
            self._literal(end + len(tag.group()))
            return
        pattern = {"sqlite": _DOLLAR_NAME}.get(self._dialect, _DOLLAR_NUMBER if self._dialect in _POSTGRES else None)
        mark = pattern.match(text, start) if pattern is not None else None
        if mark is None:
            raise _Unexpected
        self._position = mark.end()
        self._emit(mark.group())

    def _hash(self, _start: int) -> None:
        if self._dialect in _MYSQL:
            self._skip_line()
        elif self._dialect in _HASH_IN_NAMES_OR_OPERATORS:
            self._emit("#")
        else:
            raise _Unexpected

    def _numbered(self, start: int) -> None:
        sign = self._text[start]
        numbered = self._dialect == "sqlite" or (sign == ":" and self._dialect in _NUMERIC_COLON_MARKS)
        mark = _SIGN_NUMBER.match(self._text, start) if numbered else None
        if mark is not None:
            self._position = mark.end()
        self._emit(sign if mark is None else mark.group())

    def _dashes(self, start: int) -> None:
        # In MySQL 5--3 is 8: there a comment needs a space. Elsewhere it needs none.
        following = self._text[start + 2 : start + 3]
        if following <= " " or self._dialect in _KNOWN - _MYSQL:
            self._skip_line()
        elif self._dialect in _MYSQL:
            self._emit("--")
        else:
            raise _Unexpected

    def _skip_line(self) -> None:
        end = self._text.find("\n", self._position)
        end = len(self._text) if end < 0 else end
        if "\r" in self._text[self._position : end - 1]:
            raise _Unexpected  # the end of the comment for some, a part of it for others
        self._position, self._spaced = end, True

    def _comment(self, start: int) -> None:
        text = self._text
        end = text.find("*/", start + 2)
        # Some nest comments, some do not; /*! is run by MySQL.
        if end < 0 or "/*" in text[start + 2 : end + 1] or text.startswith(("!", "M!"), start + 2):
            raise _Unexpected
        self._position, self._spaced = end + 2, True
