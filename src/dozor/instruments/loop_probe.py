"""How long an event loop keeps its callbacks waiting."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

from dozor.locks import open_in_child

LOOK_SECONDS: Final = 0.1
"""How often a watched loop gives a sign of life: a stall that is longer than the threshold by this is never missed."""
# Event loops sleep for whole milliseconds, rounded up.
_ROUNDING_SECONDS: Final = 0.001
# A first sign of life that was asked for this recently says nothing yet.
_FRESH_SECONDS: Final = 0.1
_MOST_KEPT: Final = 100


class LoopProbe:
    """Has *loop* give a sign of life every LOOK_SECONDS, and measures how late those are. Safe in any thread.

    The loop sets itself a timer each time. To be asked from another thread would cost that one a turn of its own, and both a socket
    that is written and read. Where nobody takes what was measured for ten seconds, it is asked no more until somebody does.

    The lag shown grows while the loop is still blocked, since a sign of life that has not come is as late as it is overdue.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timer: Callable[[], float] = time.monotonic) -> None:
        self.loop = loop
        self._timer = timer
        self._lock = threading.Lock()
        open_in_child(self)
        self._due_at: float | None = None
        self._came: list[tuple[float, float]] = []
        self.thread: int | None = None
        """The thread that the loop runs in, once it has answered."""
        self._worst: float | None = None
        self._shown: float | None = None

    @property
    def due_at(self) -> float | None:
        """When the next sign of life is to come, by the timer; None where none is waited for."""
        return self._due_at

    def send(self) -> bool:
        """See to it that signs of life come; False once the loop is closed. What was measured since the call before is shown from now on."""
        if self.loop.is_closed():
            return False
        with self._lock:
            self._shown, self._worst = self._worst, None
        return self.ask()

    def ask(self) -> bool:
        """See to it that signs of life come, as `send`; what is shown stays."""
        if self.loop.is_closed():
            return False
        with self._lock:
            if not self.loop.is_running():
                self._due_at = self._shown = None  # nobody waits for a loop that does not run
                return True
            if self._due_at is not None:
                return True
            self._due_at = due_at = self._timer()
        try:
            self.loop.call_soon_threadsafe(self._answer, due_at)
        except RuntimeError:  # closed in between
            return False
        return True

    def end(self) -> None:
        """Let no more come."""
        with self._lock:
            self._due_at = None

    def take(self) -> list[tuple[float, float]]:
        """When each sign of life that has come since this was last asked was due and when it came, the oldest first."""
        with self._lock:
            taken, self._came = self._came, []
            return taken

    def lag_seconds(self) -> float | None:
        """How late a callback is run, None while unknown."""
        with self._lock:
            lags = [lag for lag in (self._shown, self._worst) if lag is not None]
            if self._due_at is not None:
                overdue = self._timer() - self._due_at
                lags += [overdue] if lags or overdue > _FRESH_SECONDS else []
            return max(lags, default=None)

    def _answer(self, due_at: float) -> None:
        # Runs in the watched loop: no more than this.
        with self._lock:
            if self._due_at != due_at:  # the loop did not run meanwhile, or this was ended
                return
            came_at = self._timer()
            lag = max(0.0, came_at - due_at)
            self._worst = lag if self._worst is None else max(self._worst, lag)
            self.thread = threading.get_ident()
            self._came.append((due_at, max(due_at, came_at)))
            if len(self._came) >= _MOST_KEPT:  # nobody watches
                self._due_at = None
                return
            self._due_at = due_at = came_at + LOOK_SECONDS + _ROUNDING_SECONDS
        self.loop.call_later(LOOK_SECONDS, self._answer, due_at)
