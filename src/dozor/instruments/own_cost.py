"""What Dozor itself costs, and what it leaves out where that is more than it may."""

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final

from dozor.clock import Clock
from dozor.containment import contained
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

logger = logging.getLogger("dozor")

_NAME_PREFIX: Final = "dozor"
_SPAN_SECONDS: Final = 30.0
_SHED_EVERY_SECONDS: Final = 30.0
_RESTORE_AFTER_SECONDS: Final = 120.0
_RESTORE_BELOW: Final = 0.6
STEPS: Final = (
    "stacks and lines of code are no longer looked up",
    "what is costly to read is read five times less often",
)
"""What is left out at each level, the first first; never rules, pools or alerts."""


def cpu_seconds_by_thread() -> dict[int, float]:
    """The CPU time of each live thread of Dozor's, by the system's number of it; of the calling one alone where no other is told."""
    if not sys.platform.startswith("linux"):
        return {threading.get_native_id(): time.thread_time()}
    found = {}
    for thread in threading.enumerate():
        number = thread.native_id
        if number is not None and thread.name.startswith(_NAME_PREFIX):
            with suppress(OSError):  # it has just ended
                found[number] = time.clock_gettime(_clock_of(number))
    return found


def _clock_of(native_id: int) -> int:
    # As the C library makes it. Asking that (pthread_getcpuclockid) is not safe, for a thread may end meanwhile; the kernel knows its
    # own, and reading a file of each thread's lets others have the interpreter several times, and waits to have it back.
    return ~native_id << 3 | 6


@dataclass(slots=True)
class Budget:
    """Decides how much detail to leave out. Only its caller's time passes; see `STEPS` for the levels.

    One step is taken where the last 30 s cost more than *percent* of a core, and the next not before 30 s later; one is taken
    back where they have cost less than 0.6 of it for two minutes, so that it does not go to and fro.
    """

    percent: float
    level: int = 0
    _changed_at: float = float("-inf")
    _low_since: float | None = None

    def judge(self, used_percent: float, now: float) -> bool:
        """Whether the level has changed; *now* in monotonic seconds."""
        if used_percent > self.percent:
            self._low_since = None
            if self.level < len(STEPS) and now - self._changed_at >= _SHED_EVERY_SECONDS:
                return self._set(self.level + 1, now)
        elif self.level and used_percent < self.percent * _RESTORE_BELOW:
            self._low_since = now if self._low_since is None else self._low_since
            if now - max(self._low_since, self._changed_at) >= _RESTORE_AFTER_SECONDS:
                return self._set(self.level - 1, now)
        else:
            self._low_since = None
        return False

    def _set(self, level: int, now: float) -> bool:
        self.level, self._changed_at = level, now
        return True


@dataclass(slots=True)
class HotPath:
    """What Dozor does in the application's threads at one kind of event.

    Attributes:
        event: its name.
        measure: the seconds that one takes, found on nothing of the application's.
        count: how many there were; None where there is nothing they could come from.
        seconds: what one takes, once that was measured.
        total_seconds: an estimate of what all have taken.
    """

    event: str
    measure: Callable[[], float]
    count: Callable[[], float | None]
    seconds: float | None = None
    total_seconds: float = 0.0
    _counted: float = 0.0
    _measuring: "Future[float] | None" = None

    def refresh(self) -> bool:
        """Count; False while it is being measured. In a thread beside, since others may have the processor for long."""
        count = self.count()
        if count is None:
            return True
        if self.seconds is None:
            if self._measuring is None:
                self._measuring = Future()
                threading.Thread(
                    target=self._measure, args=(self._measuring,), name=f"{_NAME_PREFIX}-calibration", daemon=True
                ).start()
            if not self._measuring.done():
                return False
            self.seconds = self._measuring.result()
        # What is watched no longer takes its count with it.
        self.total_seconds += self.seconds * max(0.0, count - self._counted)
        self._counted = count
        return True

    def _measure(self, found: "Future[float]") -> None:
        seconds = 0.0
        with contained("own_cost.measure"):
            seconds = self.measure()
        found.set_result(seconds)


@dataclass(slots=True)
class OwnCost:
    """Measures Dozor's threads, by stage too, and keeps to the budget. For Dozor's thread; a collector.

    Args:
        clock: monotonic, for the share of a core.
        budget: what it may cost.
        shed: called with the level of detail to leave out, when that changes.
        read: CPU seconds by thread.
    """

    clock: Clock
    budget: Budget
    shed: Callable[[int], None]
    read: Callable[[], Mapping[int, float]] = cpu_seconds_by_thread
    name: str = "cost"
    at_once: ClassVar[bool] = True
    hot_paths: list[HotPath] = field(default_factory=list)
    used_percent: float | None = None
    total_seconds: float = 0.0
    _seen: dict[int, float] = field(default_factory=dict)
    _points: deque[tuple[float, float]] = field(default_factory=deque)
    _stages: dict[str, float] = field(default_factory=dict)

    async def refresh(self) -> None:
        """Read the threads, add the hot paths, and judge."""
        for path in self.hot_paths:
            with contained("own_cost.hot_path"):
                if not path.refresh():
                    break  # one after the other
        seen = dict(self.read())
        # A thread that ended is gone from the list with its time, and a new one may get its number.
        self.total_seconds += sum(
            seconds - self._seen.get(thread, 0.0) if seconds >= self._seen.get(thread, 0.0) else seconds
            for thread, seconds in seen.items()
        )
        self._seen = seen
        now = self.clock.monotonic()
        total = self.total_seconds + sum(path.total_seconds for path in self.hot_paths)
        self._points.append((now, total))
        while len(self._points) > 2 and now - self._points[1][0] >= _SPAN_SECONDS:
            self._points.popleft()
        began, before = self._points[0]
        if now - began >= _SPAN_SECONDS:
            self.used_percent = 100 * (total - before) / (now - began)
            if self.budget.judge(self.used_percent, now):
                self._tell()

    def stage(self, name: str, seconds: float) -> None:
        """Stage *name* of a cycle took *seconds* of Dozor's thread."""
        self._stages[name] = self._stages.get(name, 0.0) + seconds

    def complaints(self) -> list[str]:
        """What is left out and why, in a sentence; nothing where all is done."""
        if not self.budget.level:
            return []
        left_out = " and ".join(STEPS[: self.budget.level])
        return [
            f"Dozor costs more than its budget of {self.budget.percent:g} % of a core (DOZOR_CPU_BUDGET), so {left_out}."
        ]

    def families(self) -> Iterable[Family]:
        """`dozor_cpu_…`, `dozor_stage_…`, `dozor_detail_shed`, `dozor_hot_path_…`."""
        counter, gauge, none = MetricType.COUNTER, MetricType.GAUGE, Labels()
        yield _family("dozor_cpu_seconds_total", counter, "CPU time of Dozor's threads, in seconds.", "seconds",
                      {none: self.total_seconds})  # fmt: skip
        if self.used_percent is not None:
            yield _family("dozor_cpu_utilization", gauge, "CPU time of Dozor's threads and hot path over the last 30 s, in percent of one core.", "percent",
                          {none: self.used_percent})  # fmt: skip
        yield _family(
            "dozor_cpu_budget",
            gauge,
            "What Dozor may use of one core, in percent.",
            "percent",
            {none: self.budget.percent},
        )
        yield _family("dozor_detail_shed", gauge, "Steps of detail left out to keep to the budget.", "steps",
                      {none: float(self.budget.level)})  # fmt: skip
        yield _family("dozor_stage_seconds_total", counter, "Time of Dozor's thread by stage of a cycle, in seconds.", "seconds",
                      {Labels(stage=stage): seconds for stage, seconds in self._stages.items()})  # fmt: skip
        measured = {Labels(event=path.event): path for path in self.hot_paths if path.seconds is not None}
        yield _family("dozor_hot_path_seconds", gauge, "What one event costs the application, as measured at start, in seconds.",
                      "seconds", {labels: path.seconds or 0.0 for labels, path in measured.items()})  # fmt: skip
        yield _family("dozor_hot_path_cpu_seconds_total", counter, "What all events have cost the application, as estimated, in seconds.",
                      "seconds", {labels: path.total_seconds for labels, path in measured.items()})  # fmt: skip

    def _tell(self) -> None:
        level = self.budget.level
        with contained("own_cost.shed"):
            self.shed(level)
        if level:
            logger.warning(
                "Dozor used %.1f %% of a core in the last 30 s; its budget is %g %% (DOZOR_CPU_BUDGET): %s",
                self.used_percent, self.budget.percent, STEPS[level - 1],
            )  # fmt: skip
        else:
            logger.info("Dozor is within its budget again: nothing is left out")


def _family(name: str, kind: MetricType, text: str, unit: str, values: Mapping[Labels, float]) -> Family:
    return Family(name, kind, text, unit, tuple(Sample(name, labels, value) for labels, value in values.items()))
