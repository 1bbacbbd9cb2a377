"""Pages of a long list, and the cursors by which the next one is asked for."""

import base64
import binascii
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")


class Page(Struct, Generic[T], frozen=True):
    """Some of *total* items; *next_cursor* asks for those after them and is None on the last page."""

    items: tuple[T, ...]
    total: int
    next_cursor: str | None = None


def write_cursor(position: tuple[object, ...]) -> str:
    """*position*, of the last item shown, as text for a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def read_cursor(cursor: str, kind: Any) -> Any:
    """What `write_cursor` was given, a tuple of *kind*.

    Raises:
        ValueError: it is no such cursor.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError):
        raise ValueError(f"not a cursor: {cursor[:80]!r}; pass the next_cursor of the page before") from None
