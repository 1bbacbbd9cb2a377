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

    Args:
        timer: seconds that pass, which are told at no cost.
        computed: seconds that the calling thread has had a processor, for which the kernel has to be asked.
        sleep: lets others have their turn.
    """

    def __init__(
        self,
        timer: Callable[[], float] = time.perf_counter,
        computed: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timer, self._computed, self._sleep = timer, computed, sleep
        self._until = timer()
        self._since: float | None = None  # what made this may be another thread, with another time

    def __call__(self) -> None:
        """Here others may have their turn."""
        if self._timer() >= self._until:
            left = self._left()
            if left <= 0:
                self._sleep(_PAUSE_SECONDS)
                self._since, left = self._computed(), TURN_SECONDS
            self._until = self._timer() + left

    def _left(self) -> float:
        """How long the turn goes on."""
        computed = self._computed()
        if self._since is None:
            self._since = computed
        return TURN_SECONDS - (computed - self._since)
