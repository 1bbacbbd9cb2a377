"""Tables of `dozor top`: each row is one line, however narrow the terminal is."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from dozor.cli.output import printable

_GAP: Final = 2
_LEAST: Final = 8


class Cell(NamedTuple):
    """What stands in a row, and how."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """*rank*: where there is no room for all, the one of the highest rank goes first; 0 stays."""

    title: str
    rank: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None) -> list[Text]:
    """A heading and *rows*, at most *width* wide (None: as wide as they need). The last column takes what is left."""
    heads = [Cell(column.title, "dim") for column in columns]
    shown = [[Cell(printable(cell.text), cell.style) for cell in row] for row in rows]
    lines = [heads, *shown]
    widths = [max(cell_len(line[number].text) for line in lines) for number in range(len(columns))]
    kept = _kept(columns, widths, width)
    if width is not None and kept:
        others = sum(widths[number] + _GAP for number in kept[:-1])
        widths[kept[-1]] = max(1, min(widths[kept[-1]], width - others))
    return [_line([line[number] for number in kept], [widths[number] for number in kept]) for line in lines]


def line(text: str, style: str = "") -> Text:
    """One line, cut where the terminal ends."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return Text(shown, style, no_wrap=True, overflow="ellipsis")


def _kept(columns: Sequence[Column], widths: Sequence[int], width: int | None) -> list[int]:
    """The numbers of the columns for which there is room."""
    kept = list(range(len(columns)))
    while width is not None and len(kept) > 1:
        # The last one may be cut, to a stump that still says something.
        last = min(widths[kept[-1]], _LEAST)
        if sum(widths[number] + _GAP for number in kept[:-1]) + last <= width:
            break
        going = max(kept, key=lambda number: (columns[number].rank, number))
        if columns[going].rank == 0:
            break
        kept.remove(going)
    return kept


def _line(cells: Sequence[Cell], widths: Sequence[int]) -> Text:
    found = Text(no_wrap=True, overflow="ellipsis")
    for number, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        last = number == len(cells) - 1
        found.append(_fitted(cell.text, width, fill=not last), cell.style)
        if not last:
            found.append(" " * _GAP)
    return found


def _fitted(text: str, width: int, *, fill: bool) -> str:
    if cell_len(text) > width:
        return f"{set_cell_size(text, max(0, width - 1)).rstrip()}…"
    return set_cell_size(text, width) if fill else text
