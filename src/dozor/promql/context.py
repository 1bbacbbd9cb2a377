"""Where and when an expression is evaluated, and how much it may take."""

import time
from collections.abc import Hashable
from typing import Any, Final

from msgspec import Struct

from dozor.errors import QueryLimitError, QueryTimeout
from dozor.store import Queryable

LOOKBACK_SECONDS: Final = 300.0
_TURN_SECONDS: Final = 0.002
"""For so long a query computes before it lets other threads, an event loop above all, have a turn."""
_PAUSE_SECONDS: Final = 0.000_1


class Limits(Struct, frozen=True):
    """What one query may take, and the two settings that decide what it sees.

    Attributes:
        max_samples: samples looked at, those of subqueries and every step of a range query included.
        max_points: points of all series of a result together.
        timeout_seconds: real time.
        lookback_seconds: how old the last sample of a series may be.
        subquery_step_seconds: the step of a subquery that names none.
    """

    max_samples: int = 20_000_000
    max_points: int = 20_000_000
    timeout_seconds: float = 10.0
    lookback_seconds: float = LOOKBACK_SECONDS
    subquery_step_seconds: float = 60.0


class Notes:
    """What an evaluation wants said beside its result; each once, in the order of their coming up."""

    __slots__ = ("infos", "warnings")

    def __init__(self) -> None:
        self.warnings: dict[str, None] = {}
        self.infos: dict[str, None] = {}

    def warn(self, text: str) -> None:
        """The result is probably not what was wanted."""
        self.warnings[f"PromQL warning: {text}"] = None

    def inform(self, text: str) -> None:
        """The result may not be what was wanted."""
        self.infos[f"PromQL info: {text}"] = None


class Budget:
    """What is left of the limits of one query."""

    __slots__ = ("_deadline", "_left", "_points", "_turn", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._left, self._points = limits.max_samples, limits.max_points
        now = time.monotonic()
        self._deadline = now + limits.timeout_seconds
        self._turn = now + _TURN_SECONDS

    @property
    def spent(self) -> int:
        """Samples looked at so far."""
        return self.limits.max_samples - self._left

    def charge(self, samples: int) -> None:
        """Take *samples* off. Raises QueryLimitError once there are none, or no time, left."""
        self._left -= samples
        if self._left < 0:
            raise QueryLimitError(
                f"the query looks at more than {self.limits.max_samples} samples: narrow its selectors, shorten its"
                " ranges or take larger steps"
            )
        now = time.monotonic()
        if now > self._turn:
            # Whoever waits for the interpreter gets it only from a thread that really sleeps: after a release alone, this thread
            # would have it back before another one is awake, and keep it for the 5 ms of `sys.getswitchinterval`.
            time.sleep(_PAUSE_SECONDS)
            self._turn = time.monotonic() + _TURN_SECONDS
        if now > self._deadline:
            raise QueryTimeout(f"the query took longer than {self.limits.timeout_seconds:g} s and was stopped")

    def keep(self, points: int) -> None:
        """Take *points* off those that the result may have. Raises QueryLimitError once there are none left."""
        self._points -= points
        if self._points < 0:
            raise QueryLimitError(
                f"the result has more than {self.limits.max_points} points: narrow the query's selectors, shorten its"
                " range or take larger steps"
            )


class Context:
    """One evaluation, over the steps from `start` to `end`; `at` is the step being evaluated. Milliseconds.

    A subquery is evaluated in a context of its own, whose budget, notes and query times are those of the whole.
    """

    __slots__ = (
        "at",
        "budget",
        "end",
        "lookback",
        "notes",
        "prepared",
        "query_end",
        "query_start",
        "start",
        "step",
        "store",
    )

    def __init__(self, store: Queryable, start: int, end: int, step: int, *, budget: Budget, notes: Notes) -> None:
        self.store, self.budget, self.notes = store, budget, notes
        self.at = self.start = self.query_start = start
        self.end = self.query_end = end
        self.step = step
        self.lookback = round(budget.limits.lookback_seconds * 1000)
        self.prepared: dict[Hashable, Any] = {}
        """What nodes fetched once for all steps."""

    def inner(self, start: int, end: int, step: int) -> "Context":
        """The context of a subquery."""
        context = Context(self.store, start, end, step, budget=self.budget, notes=self.notes)
        context.query_start, context.query_end = self.query_start, self.query_end
        return context
