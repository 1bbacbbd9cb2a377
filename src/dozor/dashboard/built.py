"""The page that a browser runs, as it was built from web/: its files, and what a document says to be taken over by it."""

import gzip
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from msgspec import Struct

_FOLDER: Final = files("dozor.dashboard").joinpath("static", "app")
_LABEL: Final = "page.json"
_TYPES: Final = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "json": "application/json"}


class BuiltFile(Struct, frozen=True):
    """One file of the page; its name changes with its content. *packed*: with gzip, as nearly everybody takes it."""

    packed: bytes
    media_type: str

    @property
    def content(self) -> bytes:
        """What is packed; unpacked each time."""
        return gzip.decompress(self.packed)


def packed(name: str, content: bytes) -> BuiltFile:
    """The file *name*, packed once for all who ask for it."""
    return BuiltFile(gzip.compress(content, 9, mtime=0), _TYPES[name.rpartition(".")[2]])


class BuiltPage(Struct, frozen=True):
    """The page's files by name, and those that a document names. *parts*: what *script* imports at once."""

    script: str
    style: str
    parts: Sequence[str]
    files: Mapping[str, BuiltFile]


class TakeOver(Struct, frozen=True):
    """How a document is taken over by the built page; addresses are relative to the page's root. *api*: that of the API."""

    script: str
    style: str
    parts: Sequence[str]
    api: str


@cache
def built_page() -> BuiltPage | None:
    """The page; None where this installation was made without it."""
    try:
        label = json.loads(_FOLDER.joinpath(_LABEL).read_text(encoding="utf-8"))
        found = {one.name: one.read_bytes() for one in _FOLDER.iterdir() if one.name.rpartition(".")[2] in _TYPES}
        script, style, parts = label["script"], label["style"], label["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    kept = {name: packed(name, content) for name, content in found.items() if name != _LABEL}
    return BuiltPage(script, style, parts, kept) if kept.keys() >= {script, style, *parts} else None


def take_over(*, at_root: bool) -> TakeOver | None:
    """What takes the documents over: at the root of an address, or (not *at_root*) where the API is at the page's root.

    None: the built page is not here, and the documents stay as they are.
    """
    page = built_page()
    if page is None:
        return None
    parts = [f"app/{part}" for part in page.parts]
    return TakeOver(f"app/{page.script}", f"app/{page.style}", parts, "api/v1/monitoring/" if at_root else "")
