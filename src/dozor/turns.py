"""Letting the application's threads have the interpreter while Dozor's compute."""

import time
from collections.abc import Callable
from typing import Final

TURN_SECONDS: Final = 0.0005
_PAUSE_SECONDS: Final = 0.000_1


class Turns:
    """To be called between small pieces of work, in one thread: sleeps for a moment where it has computed for TURN_SECONDS since.

    By the time that the thread has had a processor: while it waited others have had their turn, and each sleep is a thread more to be
    woken in the midst of their work.

    Only one thread at a time runs Python. Who wants to is let in after 5 ms (`sys.getswitchinterval`), and has to wait again after each
    read and write of a socket, of which a request has several: without pauses it would be answered only when the work is done. A
    release alone is not enough, for this thread would have the interpreter back before another one is awake.
    """

    def __init__(
        self, timer: Callable[[], float] = time.thread_time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._timer, self._sleep = timer, sleep
        self._since: float | None = None  # what made this may be another thread, with another time

    def __call__(self) -> None:
        """Here others may have their turn."""
        now = self._timer()
        if self._since is None:
            self._since = now
        elif now - self._since >= TURN_SECONDS:
            self._sleep(_PAUSE_SECONDS)
            self._since = self._timer()
