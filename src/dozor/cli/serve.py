"""`dozor serve`: Dozor as a program of its own."""

import contextlib
import logging
import os
import queue
import signal
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Final

from dozor import __version__
from dozor.errors import ConfigurationError, StoreUnavailable
from dozor.main import Agent
from dozor.serving import return_memory
from dozor.settings import Settings
from dozor.settings.values import is_loopback

if TYPE_CHECKING:
    from dozor.monitor import Monitor

AGENT: Final = "agent"
"""What a Dozor is called that runs by itself and was given no name."""
_LONGEST_WAIT_SECONDS: Final = 1.0


def serve(flags: Mapping[str, object]) -> int:
    """Run until a signal comes; return the exit status.

    Raises:
        ConfigurationError: something is wrong with the settings, the rules, the address or the store. Nothing runs then.
    """
    settings = Settings.load(flags=flags, strict=True)
    _refuse_strangers(settings)
    _log_to_stderr()
    dozor = Agent(name=settings.name or AGENT, listen=_address(settings), settings=settings)
    if dozor.monitor is None:
        _say("Dozor is switched off by DOZOR_ENABLED.")
        return 0
    signals = _Signals(dozor.monitor)
    dozor.start()
    return_memory()
    try:
        for line in _greeting(settings, dozor.monitor.store_location):
            _say(line)
        received = signals.ending()
        _say(f"Stopping ({received.name}).")
    finally:
        dozor.stop()
    return 0 if received == signal.SIGTERM else 128 + received


class _Signals:
    """Waits for SIGTERM or SIGINT, which end the process; a second one does so at once, whatever hangs.

    SIGHUP has *monitor* read the rules again, as servers do; but where it says that the terminal has been closed in which
    this runs, it ends the process, as terminals expect.
    """

    def __init__(self, monitor: "Monitor") -> None:
        self._monitor = monitor
        self._asked = queue.SimpleQueue[signal.Signals | None]()
        self._ending = False
        # Under nohup the end of the terminal means nothing.
        self._in_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._receive)

    def ending(self) -> signal.Signals:
        """The signal that ends the process, once it has come; until then, rules are read again as often as asked."""
        while (asked := self._next()) is None:
            # What comes of it is in the log.
            with contextlib.suppress(RuntimeError, StoreUnavailable):
                self._monitor.reload_rules()
        return asked

    def _next(self) -> signal.Signals | None:
        # Python handles a signal in the main thread between two instructions. One that comes after the last of them before the wait
        # interrupts nothing: without an end to the wait it would be handled with the next signal.
        while True:
            with contextlib.suppress(queue.Empty):
                return self._asked.get(timeout=_LONGEST_WAIT_SECONDS)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP and not self._lost_terminal():
            self._asked.put(None)
            return
        if self._ending:
            os._exit(128 + number)
        self._ending = True
        self._asked.put(signal.Signals(number))

    def _lost_terminal(self) -> bool:
        return self._in_terminal and not _has_terminal()


def _has_terminal() -> bool:
    """Whether this process has a terminal that controls it."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


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


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


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
