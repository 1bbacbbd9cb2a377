"""`dozor config show`."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from dozor.settings import Settings


def show(flags: Mapping[str, object]) -> None:
    """Print a table of all settings, or raise ConfigurationError for what is wrong with them."""
    settings = Settings.load(flags=flags, strict=True)
    table = Table("setting", "value", "origin", box=None, pad_edge=False, header_style="bold")
    for key, value, origin in settings.shown():
        table.add_row(key, value or "-", origin, style="dim" if origin == "default" else None)
    # Piped to a file or a pager, lines are as long as they need to be.
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    console.print(table, crop=False, no_wrap=True, width=None if console.is_terminal else 500)
