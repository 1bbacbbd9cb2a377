"""HTML as values: what is text is escaped, what is markup says so by its type."""

import html
from typing import Final

_VOID: Final = frozenset({"br", "hr", "input", "link", "meta"})
# What no page needs and what can hide or reorder the text around it.
_INVISIBLE: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), "\N{REPLACEMENT CHARACTER}")


class Html(str):
    """Markup that may stand on a page as it is. Made by `el` and `join` only."""

    __slots__ = ()


def text(value: object) -> Html:
    """*value* as text that shows exactly what it is, and cannot become markup."""
    return Html(html.escape(str(value).translate(_INVISIBLE), quote=True))


def el(name: str, /, *children: "Html | str | float | None", **attributes: "str | float | bool | None") -> Html:
    """The element *name*. Children that are not `Html` are escaped; None is left out.

    An attribute's name loses a trailing underscore (`class_`) and gets hyphens for underscores (`aria_label`). True is an
    attribute without a value; None and False are no attribute.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: "Html | str | float | None") -> Html:
    """*children* one after the other."""
    return Html("".join(child if isinstance(child, Html) else text(child) for child in children if child is not None))


def told(value: object, limit: int = 300) -> Html:
    """Text that somebody else chose (a name, a statement, a note): at most *limit* characters, and its own direction.

    `<bdi>` keeps right-to-left marks inside from turning the rest of the line around.
    """
    said = str(value)
    return el("bdi", said if len(said) <= limit else f"{said[: limit - 1]}…")


def _attribute(key: str, value: "str | float | bool | None") -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(value)}"'
