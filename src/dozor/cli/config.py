"""`dozor config show`."""

import sys
from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from dozor.settings import Settings

_PIPED_WIDTH: Final = 10_000


def show(flags: Mapping[str, object]) -> None:
    """Print a table of all settings, or raise ConfigurationError for what is wrong with them."""
    settings = Settings.load(flags=flags, strict=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("setting", "value", "origin"):
        table.add_column(column, overflow="fold")
    for key, value, origin in settings.shown():
        table.add_row(key, value or "-", origin, style="dim" if origin == "default" else None)
    # Nothing is cut: on a terminal cells are folded, piped to a file or a pager lines are as long as they need to be.
    console = Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    console.print(table)
