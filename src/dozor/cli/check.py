"""`dozor check`: one look at a live Dozor, over HTTP."""

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import httpx2
from rich.console import Console
from rich.text import Text

from dozor.errors import DozorError
from dozor.settings import Settings

_TIMEOUT_SECONDS = 5.0
_HEALTH = "/api/v1/monitoring/system/health"


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


class NoAnswer(DozorError):  # noqa: N818 - named for what is the case
    """There is no Dozor at the address, or none that answers us."""


def check(flags: Mapping[str, object], *, as_json: bool) -> int:
    """Print the status and its reasons; return the exit status."""
    settings = Settings.load(flags=flags)
    key = settings.api_key.get_secret_value() if settings.api_key else None
    try:
        health = fetch(settings.url, key)
    except NoAnswer as error:
        Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True).print(f"unreachable: {error}")
        return Outcome.UNREACHABLE
    if as_json:
        print(json.dumps(health, indent=2))  # noqa: T201
    else:
        _print(health)
    return _OUTCOMES[health["status"]][0]


def fetch(url: str, key: str | None) -> dict[str, Any]:
    """What Dozor at *url* says of its health.

    Raises:
        NoAnswer: nothing answers there in time, it is not Dozor, or it wants a key.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = url.rstrip("/") + _HEALTH
    try:
        # No proxy from the environment: Dozor is asked where it stands, on this machine or in this network.
        answer = httpx2.get(address, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False)
    except httpx2.HTTPError as error:
        raise NoAnswer(f"nothing answers at {url} ({_reason(error)}); --url or DOZOR_URL says where Dozor is") from None
    if answer.status_code in {401, 403}:
        advice = "the key in DOZOR_API_KEY is not its own" if key else "set its key in DOZOR_API_KEY"
        raise NoAnswer(f"Dozor at {url} does not let us in ({answer.status_code}): {advice}")
    try:
        health = answer.json()
    except ValueError:
        health = None
    if answer.status_code != 200 or not isinstance(health, dict) or health.get("status") not in _OUTCOMES:
        raise NoAnswer(f"what answers at {url} is not Dozor (status {answer.status_code} for {_HEALTH})")
    return health


def _reason(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer in {_TIMEOUT_SECONDS:.0f} s"
    return str(error) or type(error).__name__


def _print(health: Mapping[str, Any]) -> None:
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    _print_line(console, "", "Dozor", health)
    for name, component in health.get("components", {}).items():
        _print_line(console, "  ", name, component)
        for reason in component.get("reasons", []):
            console.print(f"    - {reason}")


def _print_line(console: Console, indent: str, name: str, part: Mapping[str, Any]) -> None:
    status = part.get("status")
    shown = status if isinstance(status, str) else "not watched"
    style = _OUTCOMES[shown][1] if shown in _OUTCOMES else "dim"
    console.print(Text.assemble(indent, f"{name:<10} ", (shown, style)))
