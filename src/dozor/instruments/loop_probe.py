"""How long an event loop keeps its callbacks waiting, asked from another thread."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

from dozor.locks import open_in_child

# A first probe that was sent this recently says nothing yet.
_FRESH_SECONDS: Final = 0.1
_MOST_KEPT: Final = 100


class LoopProbe:
    """Sends one callback at a time to *loop* and measures when it is run. Safe in any thread.

    The lag shown grows while the loop is still blocked, since a probe that is on its way is as late as it is old.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timer: Callable[[], float] = time.monotonic) -> None:
        self.loop = loop
        self._timer = timer
        self._lock = threading.Lock()
        open_in_child(self)
        self._sent_at: float | None = None
        self._came_back: list[float] = []
        self.thread: int | None = None
        """The thread that the loop runs in, once it has answered."""
        self._worst: float | None = None
        self._shown: float | None = None

    def send(self) -> bool:
        """Begin a new measurement unless one is on its way; False once the loop is closed.

        What was measured since the call before is shown from now on.
        """
        if self.loop.is_closed():
            return False
        with self._lock:
            self._shown, self._worst = self._worst, None
        return self.ask()

    def ask(self) -> bool:
        """Begin a new measurement, as `send`; what is shown stays."""
        if self.loop.is_closed():
            return False
        with self._lock:
            if not self.loop.is_running():
                self._sent_at = self._shown = None  # nobody waits for a loop that does not run
                return True
            if self._sent_at is not None:
                return True
            self._sent_at = sent_at = self._timer()
        try:
            self.loop.call_soon_threadsafe(self._answer, sent_at)
        except RuntimeError:  # closed in between
            return False
        return True

    def was_late(self, seconds: float) -> None:
        """Show that a callback would have been late by *seconds*, though none was on its way."""
        with self._lock:
            self._worst = seconds if self._worst is None else max(self._worst, seconds)

    def waiting_seconds(self) -> float | None:
        """How long the measurement under way has been, None without one."""
        with self._lock:
            return None if self._sent_at is None else self._timer() - self._sent_at

    def take(self) -> list[float]:
        """What was measured since this was last asked, the oldest first."""
        with self._lock:
            taken, self._came_back = self._came_back, []
            return taken

    def lag_seconds(self) -> float | None:
        """How late a callback is run, None while unknown."""
        with self._lock:
            lags = [lag for lag in (self._shown, self._worst) if lag is not None]
            if self._sent_at is not None:
                waiting = self._timer() - self._sent_at
                lags += [waiting] if lags or waiting > _FRESH_SECONDS else []
            return max(lags, default=None)

    def _answer(self, sent_at: float) -> None:
        # Runs in the watched loop: no more than this.
        with self._lock:
            if self._sent_at == sent_at:
                lag = self._timer() - sent_at
                self._worst = lag if self._worst is None else max(self._worst, lag)
                self._sent_at = None
                self.thread = threading.get_ident()
                if len(self._came_back) < _MOST_KEPT:  # nobody takes them where nobody watches
                    self._came_back.append(lag)
