"""`dozor check`: one look at a live Dozor, over HTTP."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from dozor.cli.client import Client
from dozor.cli.outcome import CommandFailed
from dozor.cli.output import print_json, printable

_HEALTH: Final = "system/health"


class Outcome(IntEnum):
    """The exit statuses, which are those of monitoring plug-ins."""

    HEALTHY = 0
    WARNING = 1
    CRITICAL = 2
    UNREACHABLE = 3


_OUTCOMES = {
    "HEALTHY": (Outcome.HEALTHY, "green"),
    "WARNING": (Outcome.WARNING, "yellow"),
    # Nobody knows: worth a look, and not worth waking somebody.
    "UNKNOWN": (Outcome.WARNING, "yellow"),
    "CRITICAL": (Outcome.CRITICAL, "red"),
    "DISCONNECTED": (Outcome.CRITICAL, "red"),
}


def check(flags: Mapping[str, object], *, as_json: bool) -> int:
    """Print the status and its reasons; return the exit status."""
    client = Client.connect(flags)
    try:
        health = client.get(_HEALTH)
        if health.get("status") not in _OUTCOMES:
            raise client.stranger(200, _HEALTH)
    except CommandFailed as error:
        Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True).print(f"unreachable: {error}")
        return Outcome.UNREACHABLE
    if as_json:
        print_json(health)
    else:
        _print(health)
    return _OUTCOMES[health["status"]][0]


def _print(health: Mapping[str, Any]) -> None:
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    _print_line(console, "", "Dozor", health)
    for name, component in health.get("components", {}).items():
        _print_line(console, "  ", name, component)
        for reason in component.get("reasons", []):
            console.print(f"    - {printable(reason)}")


def _print_line(console: Console, indent: str, name: str, part: Mapping[str, Any]) -> None:
    status = part.get("status")
    shown = status if isinstance(status, str) else "not watched"
    style = _OUTCOMES[shown][1] if shown in _OUTCOMES else "dim"
    console.print(Text.assemble(indent, f"{name:<10} ", (shown, style)))
