"""How long tests wait, on a machine that others use too."""

import os
import time
from collections.abc import Callable
from typing import Final

PATIENCE_SECONDS: Final = 60.0
"""For a condition that comes about in any case: only a test that fails waits for so long."""


def promised(seconds: float) -> float:
    """How long that may take here which is promised within *seconds*: the longer, the more others want the cores.

    For promises whose breach means to hang, or to sit out another limit. What is exact about a time is tested on a clock that the
    test moves, and measured in benchmarks/.
    """
    wanted = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * max(2.0, 2 * wanted)


def until(condition: Callable[[], bool]) -> None:
    """Return once *condition* holds, which it will; blocks the thread meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.001)
