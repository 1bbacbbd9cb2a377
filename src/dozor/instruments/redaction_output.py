"""What redaction writes: tokens, up to a limit, with long lists of values made short."""

from typing import Final

MOST_BYTES: Final = 2048
ELLIPSIS: Final = "…"
LITERAL: Final = "?"

_MOST_HELD: Final = 4096
_ROOM: Final = MOST_BYTES - len(ELLIPSIS.encode())
_VALUES: Final = "(...)"
_MORE_ROWS: Final = ", ..."


class OutputFull(Exception):  # noqa: N818 - ends the reading, not the program
    """There is no room for the next lexeme."""


class Output:
    """Takes tokens in; has at most `MOST_BYTES` in UTF-8.

    A list of values after IN is held back until it is known to be nothing but values, and then becomes `(...)`. Of the rows
    after VALUES the first is written. What is written is such that, read and written again, it comes out the same: a list
    or a row separator that is held back when the text is cut is left out.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = _ROOM
        self._previous = ""
        self._held: list[str] = []  # the list after IN, or the comma after a row
        self._listing = False
        self._casting = False
        self._depth = 0
        self._row_depth = 0
        self._rows_follow = False
        self._skipping = False
        self._skipped = False

    @property
    def empty(self) -> bool:
        """Whether nothing has been added yet."""
        return not self._parts

    @property
    def expects_values(self) -> bool:
        """Whether a list would be the one of an IN, at a place where it is written."""
        return self._previous == "in" and not self._held and not self._skipping and not self._rows_follow

    @property
    def expects_rows(self) -> bool:
        """Whether a comma now would begin a further row of VALUES."""
        return self._rows_follow and not self._skipping and not self._held

    @property
    def skips(self) -> bool:
        """Whether the text is now within a row that is left out."""
        return self._skipping

    @property
    def plain(self) -> bool:
        """Whether what comes now is written as it is."""
        return not (self._skipping or self._rows_follow or self._listing)

    def add_stretch(self, text: str, *, spaced: bool) -> bool:
        """Take in several tokens at once, none a parenthesis, IN or VALUES; False if there is no room for all of them."""
        piece = _spaced(text.rstrip(" "), spaced=spaced and not self.empty)
        size = _bytes(piece)
        if size > self._room:
            return False
        self._room -= size
        self._parts.append(piece)
        self._previous = ""
        return True

    def skip_rows(self) -> None:
        """Leave further rows of VALUES out."""
        self._skipped = True

    def add_values(self, *, spaced: bool) -> None:
        """Take in a whole list of values after IN."""
        self._write([_spaced(_VALUES, spaced=spaced)])
        self._previous = ")"

    def add(self, lexeme: str, *, spaced: bool) -> None:
        """Take *lexeme* in; *spaced* if there was space before it. Raises `OutputFull`."""
        piece = _spaced(lexeme, spaced=spaced and not self.empty)
        if self._skipping:
            self._skip(lexeme)
        elif self._rows_follow:
            self._after_row(lexeme, piece)
        elif self._listing:
            self._list(lexeme, piece)
        else:
            self._plain(lexeme, piece)

    def finish(self) -> str:
        """The text, which was read to its end."""
        if self._skipped:
            self._write([_MORE_ROWS])
        self._write(self._held)
        return "".join(self._parts)

    def cut(self) -> str:
        """The text as far as it was read, and the mark that there was more."""
        held = [_MORE_ROWS] if self._skipped else self._held[:1] if self._listing else []
        if _size(held) <= self._room:
            self._parts += held
        return "".join(self._parts) + ELLIPSIS

    def _plain(self, lexeme: str, piece: str) -> None:
        if lexeme == "(" and self._previous == "in":
            self._listing, self._casting, self._depth, self._held = True, False, 1, [piece]
            return
        self._write([piece])
        if lexeme == "(":
            self._row_depth += self._previous == "values" or self._row_depth > 0
        elif lexeme == ")" and self._row_depth:
            self._row_depth -= 1
            self._rows_follow = self._row_depth == 0
        self._previous = lexeme.lower()

    def _list(self, lexeme: str, piece: str) -> None:
        self._depth += (lexeme == "(") - (lexeme == ")")
        self._casting = lexeme == "::" or (self._casting and lexeme != ",")
        self._held.append(piece)
        if len(self._held) > _MOST_HELD:
            raise OutputFull
        if self._depth == 0:
            opening = self._held[0]
            self._listing, self._held = False, []
            self._write([_spaced(_VALUES, spaced=opening.startswith(" "))])
            self._previous = ")"
        elif not (self._casting or _is_value(lexeme)):
            # Not a list of values: a subquery, or columns. All of it is written, or nothing.
            held, self._held = self._held, []
            if _size(held) > self._room:
                self._held = held[:1]
                raise OutputFull
            self._listing = False
            self._row_depth += self._depth if self._row_depth else 0
            self._write(held)
            self._previous = lexeme.lower()

    def _after_row(self, lexeme: str, piece: str) -> None:
        if lexeme == "," and not self._held:
            self._held = [piece]
        elif lexeme == "(" and self._held:
            self._held, self._skipping, self._depth = [], True, 1
        else:
            self._rows_follow = False
            held, self._held = self._held, []
            if self._skipped:
                self._skipped = False
                held = [_MORE_ROWS, *held]
            self._previous = ")"
            if held:
                self._write([*held, piece])
                self._previous = lexeme.lower()
            else:
                self._plain(lexeme, piece)

    def _skip(self, lexeme: str) -> None:
        self._depth += (lexeme == "(") - (lexeme == ")")
        if self._depth == 0:
            self._skipping, self._skipped = False, True

    def _write(self, pieces: list[str]) -> None:
        size = _size(pieces)
        if size > self._room:
            raise OutputFull
        self._room -= size
        self._parts += pieces


def _is_value(lexeme: str) -> bool:
    return lexeme in {LITERAL, ",", "(", ")", "+", "-"} or lexeme[0] in "%:$@?"


def _spaced(lexeme: str, *, spaced: bool) -> str:
    return f" {lexeme}" if spaced else lexeme


def _size(pieces: list[str]) -> int:
    return sum(map(_bytes, pieces))


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
