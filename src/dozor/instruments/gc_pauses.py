"""How long the garbage collector stops everything, told by its own callbacks."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

_GENERATIONS: Final = 3


class GcPauses:
    """Sums what collections take, by generation. `attach` and `detach` may be called in any thread.

    The callbacks run in whatever thread sets a collection off, and only one collection runs at a time: they take no lock,
    which a collection in the midst of its holder would wait for without end.
    """

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self._timer = timer
        self._began: float | None = None
        self._seconds = [0.0] * _GENERATIONS
        self._longest = [0.0] * _GENERATIONS
        self._callback = self._on_collection  # one object, which is found again when it is taken off

    def attach(self) -> None:
        """Begin to listen; again: does nothing."""
        if self._callback not in gc.callbacks:
            gc.callbacks.append(self._callback)

    def detach(self) -> None:
        """Listen no longer; again: does nothing."""
        while self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)

    @property
    def seconds(self) -> Sequence[float]:
        """What collections of each generation have taken together."""
        return tuple(self._seconds)

    @property
    def longest_seconds(self) -> Sequence[float]:
        """The longest one of each generation."""
        return tuple(self._longest)

    def family(self, labels: Sequence[Labels]) -> Family:
        """`python_gc_pause_seconds_total`; *labels* of each generation."""
        name = "python_gc_pause_seconds_total"
        samples = tuple(Sample(name, one, seconds) for one, seconds in zip(labels, self._seconds, strict=True))
        text = "How long the garbage collector stopped everything, in seconds."
        return Family(name, MetricType.COUNTER, text, "seconds", samples)

    def _on_collection(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase == "start":
            self._began = self._timer()
        elif self._began is not None:
            taken, self._began = self._timer() - self._began, None
            generation = min(int(info["generation"]), _GENERATIONS - 1)
            self._seconds[generation] += taken
            self._longest[generation] = max(self._longest[generation], taken)
