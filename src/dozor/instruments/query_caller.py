"""Where in the application's own code a statement comes from."""

import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any, Final

_MOST_FRAMES: Final = 200
_OWN_PACKAGE: Final = str(Path(__file__).resolve().parents[1])
_LIBRARY_FOLDERS: Final = ("site-packages", "dist-packages")
_STANDARD_LIBRARY: Final = tuple(
    {folder for key in ("stdlib", "platstdlib") if (folder := sysconfig.get_paths().get(key))}
)


def find_caller() -> str | None:
    """`file.py:123 in function`: the innermost frame of this thread that is the application's own code.

    Not own are the standard library, installed packages, Dozor. Where all is installed, the innermost frame outside the
    standard library, SQLAlchemy and Dozor counts; None where there is no such frame. Statements of an `AsyncEngine` run in
    a greenlet, whose frames end there: the search goes on in its parents.
    """
    fallback: FrameType | None = None
    for frame in _frames():
        kind = _kind(frame.f_code.co_filename)
        if kind == "own":
            return _text(frame)
        if kind == "library" and fallback is None:
            fallback = frame
    return None if fallback is None else _text(fallback)


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


@lru_cache(maxsize=1024)
def _kind(file: str) -> str:
    if file.startswith(("<", _OWN_PACKAGE)):
        return "inside"
    parts = Path(file).parts
    for folder in _LIBRARY_FOLDERS:
        if folder in parts:
            package = parts[parts.index(folder) + 1]
            return "inside" if package in {"sqlalchemy", "greenlet"} else "library"
    if "sqlalchemy" in parts:
        return "inside"
    return "inside" if file.startswith(_STANDARD_LIBRARY) else "own"


def _text(frame: FrameType) -> str:
    return f"{_shown(frame.f_code.co_filename)}:{frame.f_lineno} in {frame.f_code.co_qualname}"


@lru_cache(maxsize=1024)
def _shown(file: str) -> str:
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(Path(*path.parts[-2:]))
