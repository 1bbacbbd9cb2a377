"""How commands print: tables for people, plain ones for programs, JSON for those that want all of it."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES: Final = {
    "EMERGENCY": "bold red",
    "CRITICAL": "red",
    "WARNING": "yellow",
    "FIRING": "red",
    "ACKNOWLEDGED": "cyan",
    "RESOLVED": "green",
    "SILENCED": "dim",
    "PENDING": "dim",
    "SCHEDULED": "cyan",
    "ACTIVE": "green",
    "EXPIRED": "dim",
    "OK": "green",
    "FAILING": "yellow",
    "OPEN": "red",
    "UNUSED": "dim",
}
# What is piped is cut nowhere; a line is as long as it needs to be.
_PIPED_WIDTH: Final = 10_000


def print_json(document: Mapping[str, object]) -> None:
    """Print *document* for programs."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print *rows* under *columns*. A cell that is a status has its colour, on a terminal."""
    console = Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell), style=_STYLES.get(cell, "")) for cell in row))
    console.print(table)


def say(text: str) -> None:
    """Print a sentence."""
    typer.echo(printable(text))


def warn(text: str) -> None:
    """Print a sentence beside the answer."""
    typer.echo(printable(text), err=True)


def printable(text: str) -> str:
    """*text* in one line, without what moves a cursor or turns the writing direction: labels hold what strangers sent."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def moment(text: object) -> str:
    """An RFC 3339 time, as the clock on the wall shows it; `-` where there is none."""
    if not isinstance(text, str):
        return "-"
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def elapsed(since: object, until: object = None) -> str:
    """The time from *since* to *until*, or to now, in its largest two units: `3m 5s`; `-` where it never began."""
    if not isinstance(since, str):
        return "-"
    end = datetime.fromisoformat(until) if isinstance(until, str) else datetime.now(UTC)
    return seconds((end - datetime.fromisoformat(since)).total_seconds())


def seconds(amount: float) -> str:
    """*amount* of seconds in its largest two units."""
    whole, parts = max(0, round(amount)), []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0s"


def zone() -> str:
    """The name of the time zone in which `moment` shows times."""
    return time.strftime("%Z") or "local time"
