"""Text that strangers wrote (keys, client names, mount points), made fit to be shown."""


def printable(text: str, limit: int = 4096) -> str:
    """*text* with what cannot be printed escaped (control characters, lone surrogates), and cut to *limit* characters."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
