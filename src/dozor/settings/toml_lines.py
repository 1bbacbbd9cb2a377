"""At which line of a TOML file something is written; tomllib does not tell."""

import re
from collections.abc import Mapping
from typing import Final

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART: Final = re.compile(r"[\w-]+|\"([^\"]*)\"|'([^']*)'")


def lines_of(content: str) -> Mapping[tuple[str, ...], int]:
    """The lines, from 1, of all keys and headers by their path. Of `[[routes]]`, the second is `("routes", "2")`.

    What stands inside inline tables and lists is not found: `line_at` gives the line of what it belongs to.
    """
    found: dict[tuple[str, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(content.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = _path(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                found.setdefault(table, number)
                table = (*table, str(counts[table]))
            found.setdefault(table, number)
        elif written := _KEY.match(line):
            found.setdefault((*table, *_path(written[1])), number)
    return found


def line_at(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    """The line of what is at *path*, or of the nearest thing that holds it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


def _path(written: str) -> tuple[str, ...]:
    return tuple(part[1] or part[2] or part[0] for part in _PART.finditer(written))
