"""How many processes run this application, as far as that can be known from within one of them."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

_OPTION: Final = re.compile(r"^(?:-w|--workers)(?:=?(\d+))?$")
_SERVERS: Final = ("gunicorn", "uvicorn", "hypercorn", "granian", "fastapi")
_MOST: Final = 10_000


class Workers(Struct, frozen=True):
    """How many, and by what that is known: a sentence's end, as in "4 workers (WEB_CONCURRENCY)"."""

    count: int
    source: str


def count_workers(
    given: int | None = None, environment: Mapping[str, str] = os.environ, parent: Path | None = None
) -> Workers:
    """*given* by the settings; else from the environment or the command line of the parent process; else 1.

    *parent*: the file with the parent's command line, as Linux keeps it.
    """
    if given is not None:
        return Workers(given, "DOZOR_WORKERS")
    commands = {"the command line": _words(parent or Path(f"/proc/{os.getppid()}/cmdline"))}
    commands["GUNICORN_CMD_ARGS"] = ["gunicorn", *environment.get("GUNICORN_CMD_ARGS", "").split()]
    for source, words in commands.items():
        if any(server in Path(word).name for word in words[:3] for server in _SERVERS) and (found := _option(words)):
            return Workers(found, source)
    if found := _number(environment.get("WEB_CONCURRENCY")):
        return Workers(found, "WEB_CONCURRENCY")
    return Workers(1, "nothing says that there are more")


def _words(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def _option(words: list[str]) -> int | None:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        found = _OPTION.match(word)
        if found is not None:
            return _number(found.group(1) or following)
    return None


def _number(text: str | None) -> int | None:
    if text is None or not text.strip().isdigit():
        return None
    number = int(text)
    return number if 1 <= number <= _MOST else None
