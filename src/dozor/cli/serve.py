"""`dozor serve`: Dozor as a program of its own."""

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Final

import typer

from dozor import __version__
from dozor.errors import ConfigurationError
from dozor.main import Dozor
from dozor.settings import Settings
from dozor.settings.values import is_loopback

AGENT: Final = "agent"
"""What a Dozor is called that runs by itself and was given no name."""


def serve(flags: Mapping[str, object]) -> int:
    """Run until a signal comes; return the exit status.

    Raises:
        ConfigurationError: something is wrong with the settings, the rules, the address or the store. Nothing runs then.
    """
    settings = Settings.load(flags=flags, strict=True)
    _refuse_strangers(settings)
    _log_to_stderr()
    dozor = Dozor(name=settings.name or AGENT, listen=_address(settings), settings=settings)
    if dozor.monitor is None:
        typer.echo("Dozor is switched off by DOZOR_ENABLED.")
        return 0
    ending = _Ending()
    dozor.start()
    try:
        for line in _greeting(settings, dozor.monitor.store_location):
            typer.echo(line)
        received = ending.wait()
        typer.echo(f"Stopping ({received.name}).")
    finally:
        dozor.stop()
    return 0 if received == signal.SIGTERM else 128 + received


class _Ending:
    """Waits for SIGTERM or SIGINT. A second one ends the process at once, whatever hangs."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._signal = signal.SIGTERM
        # HUP too: a terminal that is closed ends what runs in it.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._receive)

    def wait(self) -> signal.Signals:
        """The signal, once it has come."""
        self._asked.wait()
        return self._signal

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self._asked.is_set():
            os._exit(128 + number)
        self._signal = signal.Signals(number)
        self._asked.set()


def _refuse_strangers(settings: Settings) -> None:
    if settings.api_key is None and not is_loopback(settings.host):
        raise ConfigurationError(
            f"{settings.host} is reached from other machines, and no key is set: anybody could read and silence alerts; "
            "set DOZOR_API_KEY (or DOZOR_API_KEY_FILE) to a long random text, or listen at 127.0.0.1",
            key="--host",
        )


def _address(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("dozor").setLevel(logging.INFO)


def _greeting(settings: Settings, store: str) -> Iterator[str]:
    yield f"Dozor {__version__}"
    yield f"  page     http://{_address(settings)}/"
    watched = [("database", settings.database_urls), ("redis", settings.redis_urls), ("scrape", settings.scrape_urls)]
    for what, servers in watched:
        for server in servers:
            yield f"  {what:<8} {server.name}: {server.shown}"
    if not any(servers for _, servers in watched):
        yield "  watched  this host only; --database-url, --redis-url and --scrape add servers and applications"
    yield f"  store    {store}"
    yield "Ctrl-C ends it."
