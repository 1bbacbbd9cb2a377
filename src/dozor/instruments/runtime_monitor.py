"""This process: memory, CPU, descriptors, threads, garbage collection, and how late the application's event loop is.

The names are those of the Prometheus client for Python, so that its dashboards and rules fit.
"""

import asyncio
import gc
import os
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from dozor.clock import Clock
from dozor.instruments.gc_pauses import GcPauses
from dozor.instruments.loop_probe import LOOK_SECONDS, LoopProbe
from dozor.instruments.loop_stalls import STALL_SECONDS, Stalls
from dozor.instruments.machine import own_memory
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

_DESCRIPTORS: Final = Path("/proc/self/fd")
_TASKS_EVERY: Final = 10
_BUSY_SHARE: Final = 0.5
_PAUSES_KEPT: Final = 10


class RuntimeMonitor:
    """Reads this process once an interval. All methods are safe in any thread.

    Args:
        clock: dates stalls.
        base_labels: labels that every series has.
        stall_seconds: from when on a loop that does not answer is blocked.
        timer: monotonic seconds.
        processor_timer: seconds that this process has had a processor.
    """

    name = "runtime"
    at_once = True

    def __init__(
        self,
        clock: Clock | None = None,
        base_labels: Labels = Labels(),  # noqa: B008 - immutable
        *,
        stall_seconds: float = STALL_SECONDS,
        timer: Callable[[], float] = time.monotonic,
        processor_timer: Callable[[], float] = time.process_time,
    ) -> None:
        self._processor_timer = processor_timer
        self._watched: tuple[float, float] | None = None
        self._look_at = 0.0
        self._stood_still: deque[tuple[float, float]] = deque(maxlen=_PAUSES_KEPT)
        self._watching_since: float | None = None
        self._timer, self._labels, self._clock = timer, base_labels, clock or Clock()
        self.stalls = Stalls(base_labels, stall_seconds)
        self.pauses = GcPauses()
        self._generations = [base_labels.with_({"generation": str(number)}) for number in range(3)]
        self._python = base_labels.with_(_python_labels())
        self._probes: dict[int, LoopProbe] = {}
        self._process: Any = None
        self._figures: dict[str, float] = {}
        self._tasks: float | None = None
        self._refreshes = 0

    def attach(self) -> None:
        """Begin to listen to the garbage collector."""
        self.pauses.attach()

    def detach(self) -> None:
        """Listen to it no longer, nor to the loops."""
        self.pauses.detach()
        for probe in list(self._probes.values()):
            probe.end()

    @property
    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The loops that are watched."""
        return [probe.loop for probe in list(self._probes.values())]

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure the lag of *loop*, an application's, until it is closed or `unwatch_loop`."""
        self._probes.setdefault(id(loop), LoopProbe(loop, self._timer))
        if self._watching_since is None:
            self._watching_since = self._timer()

    def unwatch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure the lag of *loop* no longer."""
        probe = self._probes.pop(id(loop), None)
        if probe is not None:
            probe.end()
        self.stalls.forget(id(loop))
        if not self._probes:
            self._watching_since = None

    async def keep_watch(self) -> None:
        """Look whether a watched loop is blocked, again and again, in Dozor's thread."""
        while True:  # noqa: ASYNC110 - what is looked at tells nobody of itself
            await asyncio.sleep(self.watch())

    def watch(self) -> float:
        """Look whether a watched loop is blocked, and by what. The answer is in how many seconds to look again.

        That is when one would be blocked that gives no sign of life from now on: there is nothing to see before.
        """
        now, at = self._timer(), self._clock.timestamp()
        self._note_pause(now)
        looks = [now + LOOK_SECONDS + self.stalls.threshold_seconds]
        for key, probe in list(self._probes.items()):
            for due, came in probe.take():
                self.stalls.came(key, came - due, at - (now - came), self._still_seconds(due, came))
            due_at = probe.due_at
            if due_at is not None:
                if due_at < now:
                    self.stalls.overdue(key, probe.thread, now - due_at, at, self._still_seconds(due_at, now))
                looks.append(due_at + self.stalls.threshold_seconds)
            probe.ask()
        self._look_at = max(now + LOOK_SECONDS, min(looks))
        return self._look_at - now

    def _note_pause(self, now: float) -> None:
        """Note whether, since the look before, there was a time in which no thread of the process ran, Dozor's included.

        Something that computes and keeps the GIL holds up Dozor's thread too, but uses a processor meanwhile.
        """
        used = self._processor_timer()
        before, self._watched = self._watched, (now, used)
        if before is not None:
            missed = now - self._look_at
            if missed >= self.stalls.threshold_seconds and used - before[1] < _BUSY_SHARE * missed:
                self._stood_still.append((before[0], now))

    def _still_seconds(self, since: float, until: float) -> float:
        """How much of that time the process may have stood still."""
        return sum(max(0.0, min(until, end) - max(since, began)) for began, end in self._stood_still)

    def probe(self) -> None:
        """Ask each watched loop for a sign of life; more often than `refresh` finds shorter stalls."""
        for key, probe in list(self._probes.items()):
            if not probe.send():
                self._probes.pop(key, None)

    async def refresh(self) -> None:
        """Read the process, and ask the watched loops."""
        self.probe()
        if self._refreshes % _TASKS_EVERY == 0:
            self._tasks = self._count_tasks()
        self._refreshes += 1
        self._figures = self._read_process()

    def lag_seconds(self) -> float | None:
        """How late the application's event loop is; of several the worst, None where none is watched."""
        lags = [lag for probe in list(self._probes.values()) if (lag := probe.lag_seconds()) is not None]
        return max(lags, default=None)

    def figures(self) -> dict[str, float]:
        """`process_…` and `event_loop_lag_seconds` by name; what is unknown is absent."""
        figures = dict(self._figures)
        lag = self.lag_seconds()
        if lag is not None:
            figures["event_loop_lag_seconds"] = lag
        if self._watching_since is not None:
            figures["event_loop_watched_seconds"] = self._timer() - self._watching_since
        if self._tasks is not None:
            figures["event_loop_tasks"] = self._tasks
        return figures

    def families(self) -> list[Family]:
        """`process_…`, `python_…` and `event_loop_lag_seconds`."""
        figures = self.figures()
        families = [
            Family(name, kind, text, unit, (Sample(name, self._labels, figures[name]),))
            for name, (kind, unit, text) in _METRICS.items()
            if name in figures
        ]
        watched = self.stalls.families() if self._probes else []
        return [*families, *self._collections(), self.pauses.family(self._generations), self._info(), *watched]

    def _count_tasks(self) -> float | None:
        # Counting walks through all of them, so it is done seldom.
        counts = []
        for loop in self.loops:
            with suppress(RuntimeError):  # they change all the time, and this is another thread
                counts.append(len(asyncio.all_tasks(loop)))
        return float(sum(counts)) if counts else None

    def _read_process(self) -> dict[str, float]:
        import psutil  # noqa: PLC0415 - 10 ms that a program which never starts Dozor need not wait

        if self._process is None or self._process.pid != os.getpid():  # after a fork it is another process
            self._process = psutil.Process()
        process = self._process
        figures = {
            "python_threads": float(threading.active_count()),
            "process_cpu_seconds_total": self._processor_timer(),
        }
        # What this system does not tell is left out.
        with suppress(psutil.Error, OSError):
            memory = own_memory()
            figures["process_resident_memory_bytes"] = float(memory.resident)
            figures["process_virtual_memory_bytes"] = float(memory.virtual)
            figures["process_start_time_seconds"] = process.create_time()
        with suppress(psutil.Error, OSError, AttributeError):
            figures["process_open_fds"] = float(_open_descriptors() or process.num_fds())
        limit = _descriptor_limit()
        if limit is not None:
            figures["process_max_fds"] = limit
        return figures

    def _collections(self) -> Iterator[Family]:
        statistics = gc.get_stats()
        for name, (key, text, unit) in _COLLECTIONS.items():
            samples = tuple(
                Sample(name, labels, float(generation[key]))
                for labels, generation in zip(self._generations, statistics, strict=False)
            )
            yield Family(name, MetricType.COUNTER, text, unit, samples)

    def _info(self) -> Family:
        return Family.gauge("python_info", "Python platform information.", "", 1.0, self._python)


def _python_labels() -> dict[str, str]:
    major, minor, patch = platform.python_version_tuple()
    return {
        "implementation": platform.python_implementation(),
        "major": major,
        "minor": minor,
        "patchlevel": patch,
        "version": platform.python_version(),
    }


def _open_descriptors() -> int:
    """How many files are open, where that is told at once; else 0, and they have to be listed, of which there may be thousands."""
    try:
        return _DESCRIPTORS.stat().st_size  # since Linux 6.2
    except OSError:
        return 0


def _descriptor_limit() -> float | None:
    try:
        import resource  # noqa: PLC0415 - not there on every system
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else float(soft)


_GAUGE, _COUNTER = MetricType.GAUGE, MetricType.COUNTER
_METRICS: Final = {
    "process_cpu_seconds_total": (_COUNTER, "seconds", "User and system CPU time spent, in seconds."),
    "process_resident_memory_bytes": (_GAUGE, "bytes", "Resident memory size, in bytes."),
    "process_virtual_memory_bytes": (_GAUGE, "bytes", "Virtual memory size, in bytes."),
    "process_start_time_seconds": (_GAUGE, "seconds", "When the process began, in seconds since the Unix epoch."),
    "process_open_fds": (_GAUGE, "descriptors", "Open file descriptors."),
    "process_max_fds": (_GAUGE, "descriptors", "File descriptors that may be open at once."),
    "python_threads": (_GAUGE, "threads", "Python threads that are alive."),
    "event_loop_tasks": (_GAUGE, "tasks", "Tasks on the application's event loop, counted every ten cycles."),
    "event_loop_watched_seconds": (
        _GAUGE,
        "seconds",
        "How long the application's event loop has been watched, in seconds.",
    ),
    "event_loop_lag_seconds": (_GAUGE, "seconds", "How late the application's event loop runs a callback, in seconds."),
}
_COLLECTIONS: Final = {
    "python_gc_objects_collected_total": ("collected", "Objects that the garbage collector freed.", "objects"),
    "python_gc_objects_uncollectable_total": (
        "uncollectable",
        "Objects that the garbage collector could not free.",
        "objects",
    ),
    "python_gc_collections_total": ("collections", "Runs of the garbage collector.", "runs"),
}
