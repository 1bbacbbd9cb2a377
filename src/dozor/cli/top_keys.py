"""Keys from a terminal, one by one, as they are pressed."""

import os
import sys
import termios
import tty
from codecs import getincrementaldecoder
from types import TracebackType
from typing import Final, Self

UP: Final = "up"
DOWN: Final = "down"
PAGE_UP: Final = "page up"
PAGE_DOWN: Final = "page down"
HOME: Final = "home"
END: Final = "end"
TAB: Final = "tab"
BACK_TAB: Final = "shift-tab"
ENTER: Final = "enter"
ESCAPE: Final = "escape"
BACKSPACE: Final = "backspace"

_SEQUENCES: Final = {
    "\x1b[A": UP, "\x1b[B": DOWN, "\x1bOA": UP, "\x1bOB": DOWN, "\x1b[5~": PAGE_UP, "\x1b[6~": PAGE_DOWN,
    "\x1b[H": HOME, "\x1b[F": END, "\x1bOH": HOME, "\x1bOF": END, "\x1b[1~": HOME, "\x1b[4~": END, "\x1b[Z": BACK_TAB,
    "\t": TAB, "\r": ENTER, "\n": ENTER, "\x7f": BACKSPACE, "\x08": BACKSPACE,
}  # fmt: skip


def parse(text: str) -> list[str]:
    """The keys that *text* is: names for those that write nothing, else the character. What is unknown is left out."""
    keys = []
    while text:
        known = next((sequence for sequence in _SEQUENCES if text.startswith(sequence)), None)
        if known is not None:
            keys.append(_SEQUENCES[known])
            text = text[len(known) :]
        elif text.startswith(("\x1b[", "\x1bO")):
            text = _after_sequence(text)
        elif text[0] == "\x1b":
            keys.append(ESCAPE)
            text = text[1:]
        else:
            if text[0].isprintable():
                keys.append(text[0])
            text = text[1:]
    return keys


def _after_sequence(text: str) -> str:
    """*text* without the control sequence at its beginning, whatever that would do."""
    end = 2
    while end < len(text) and not "@" <= text[end] <= "~":
        end += 1
    return text[end + 1 :]


class Keyboard:
    """The terminal at standard input, without echo and line by line no more, while it is entered."""

    def __init__(self) -> None:
        self.fd = sys.stdin.fileno()
        self._decoder = getincrementaldecoder("utf-8")("ignore")
        self._before: list[object] | None = None

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self.fd)
        tty.setcbreak(self.fd)
        # Ctrl-Z would leave the shell with a screen that is not its own.
        attributes = termios.tcgetattr(self.fd)
        attributes[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self._before)  # type: ignore[arg-type] # as it gave them

    def read(self) -> list[str] | None:
        """The keys that were pressed since; None: there will be no more. Waits where there are none."""
        found = os.read(self.fd, 4096)
        return parse(self._decoder.decode(found)) if found else None
