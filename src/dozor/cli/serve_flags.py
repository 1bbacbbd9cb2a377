"""The flags of `dozor serve`, read without typer: what parses for a millisecond would stay in an agent's memory for months."""

from collections.abc import Iterable
from typing import Any, Final

FLAGS: Final[dict[str, bool]] = {
    "--host": False,
    "--port": False,
    "--database-url": True,
    "--redis-url": True,
    "--scrape": True,
    "--rules": True,
    "--store-url": False,
    "--interval": False,
    "--config": False,
}
"""Those that `cli.app` declares, and whether each may be given several times."""


def plain_flags(arguments: Iterable[str]) -> dict[str, Any] | None:
    """What *arguments* set, by key, where each is a known flag with a plain value.

    None: they are something else (a question for help, a mistake), which is typer's to answer.
    """
    flags: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if not equals:
            value = next(rest, "")
        if flag not in FLAGS or not value or value.startswith("-"):
            return None
        key = flag.removeprefix("--").replace("-", "_")
        flags[key] = [*flags.get(key, ()), value] if FLAGS[flag] else value
    return flags
