"""Text of strangers, made fit to stand in one line."""

import unicodedata
from typing import Final

_LONGEST_TEXT: Final = 1000
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def plain(value: str, limit: int = _LONGEST_TEXT) -> str:
    """*value* in one line of at most *limit* characters, without any that move the cursor or turn the writing direction.

    Labels hold what strangers sent; in a terminal, a log or a mail's header a control character could forge a line of its
    own.
    """
    cut = value[: 2 * limit + 1]
    visible = "".join(" " if unicodedata.category(char) in _UNSEEN else char for char in cut)
    joined = " ".join(visible.split())
    return joined if len(joined) <= limit else joined[: limit - 1].rstrip() + "…"
