"""Where in the application's own code a statement comes from, or a connection was taken."""

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from dozor.instruments.detail import DETAIL

_MOST_FRAMES: Final = 200
_MOST_OWN: Final = 10
_MOST_BETWEEN: Final = 16
_MOST_FILES: Final = 4096
_OWN_PACKAGE: Final = str(Path(__file__).resolve().parents[1])
_SAMPLE_APPLICATION: Final = str(Path(_OWN_PACKAGE, "demo", ""))  # it is watched like anybody else's
_LIBRARY_FOLDERS: Final = ("site-packages", "dist-packages")
_STANDARD_LIBRARY: Final = str(Path(os.__file__).parent)


Place = tuple[CodeType, int]
"""Code and line number: cheap to take, and told as file and line only when somebody looks."""


def find_caller() -> str | None:
    """`file.py:123 in function`: the innermost frame of this thread that is the application's own code.

    Not own are the standard library, installed packages, Dozor. Where all is installed, the innermost frame outside the
    standard library, SQLAlchemy, redis-py and Dozor counts; None where there is no such frame. Statements of an `AsyncEngine` run in
    a greenlet, whose frames end there: the search goes on in its parents.
    """
    if not DETAIL.lines:
        return None
    fallback: FrameType | None = None
    for frame in _frames():
        kind = _KINDS[frame.f_code.co_filename]
        if kind == "own":
            return shown_place(frame.f_code, frame.f_lineno)
        if kind == "library" and fallback is None:
            fallback = frame
    return None if fallback is None else shown_place(fallback.f_code, fallback.f_lineno)


def take_stack() -> tuple[Place, ...]:
    """The places of this thread that `own_lines` would tell, innermost first: at most 10 of the application's own.

    Written for speed. Where own code has been found, the search ends with 16 frames in a row that are not: what lies further out is
    the server, which called the framework, which called the application.
    """
    if not DETAIL.lines:
        return ()
    own: list[Place] = []
    library: Place | None = None
    greenlet: Any = None
    frame: FrameType | None = sys._getframe(1)
    left, kinds = _MOST_FRAMES, _KINDS
    while left:
        if frame is None:
            greenlet = getattr(_current_greenlet() if greenlet is None else greenlet, "parent", None)
            frame = getattr(greenlet, "gr_frame", None)
            if frame is None:
                break
        left -= 1
        code = frame.f_code
        kind = kinds[code.co_filename]
        if kind == "own":
            own.append((code, frame.f_lineno))
            left = _MOST_BETWEEN if len(own) < _MOST_OWN else 0
        elif kind == "library" and library is None:
            library = (code, frame.f_lineno)
        frame = frame.f_back
    return tuple(own) if own or library is None else (library,)


def own_lines(places: Iterable[Place], most: int = _MOST_OWN) -> tuple[str, ...]:
    """Those of *places* that are the application's own code, each as `file.py:123 in function`, at most *most*.

    Where none is, the first that belongs to a library, as in `find_caller`.
    """
    own: list[str] = []
    fallback: Place | None = None
    for code, line in places:
        kind = _KINDS[code.co_filename]
        if kind == "own" and len(own) < most:
            own.append(shown_place(code, line))
        elif kind == "library" and fallback is None:
            fallback = (code, line)
    return tuple(own) if own or fallback is None else (shown_place(*fallback),)


def _frames() -> "list[FrameType]":
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(2)
    greenlet = _current_greenlet()
    while len(frames) < _MOST_FRAMES:
        if frame is None:
            greenlet = getattr(greenlet, "parent", None)
            frame = getattr(greenlet, "gr_frame", None)
            if frame is None:
                break
        frames.append(frame)
        frame = frame.f_back
    return frames


def _current_greenlet() -> Any:
    module: Any = sys.modules.get("greenlet")
    return None if module is None else module.getcurrent()


def _kind(file: str) -> str:
    if file.startswith(_SAMPLE_APPLICATION):
        return "own"
    if file.startswith(("<", _OWN_PACKAGE)):
        return "inside"
    parts = Path(file).parts
    for folder in _LIBRARY_FOLDERS:
        if folder in parts:
            package = parts[parts.index(folder) + 1]
            return "inside" if package in {"sqlalchemy", "greenlet", "redis", "valkey"} else "library"
    if "sqlalchemy" in parts:
        return "inside"
    return "inside" if file.startswith(_STANDARD_LIBRARY) else "own"


class _Kinds(dict[str, str]):
    """Whose code a file is: `own`, `library` or `inside`. Looked up for each frame, for which a cached function would be slow."""

    def __missing__(self, file: str) -> str:
        if len(self) >= _MOST_FILES:
            self.clear()
        kind = self[file] = _kind(file)
        return kind


_KINDS: Final = _Kinds()


def shown_place(code: CodeType, line: int) -> str:
    """`file.py:123 in function`; the file below the working directory, or by its last two parts."""
    return f"{_shown(code.co_filename)}:{line} in {code.co_qualname}"


@lru_cache(maxsize=1024)
def _shown(file: str) -> str:
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(Path(*path.parts[-2:]))
