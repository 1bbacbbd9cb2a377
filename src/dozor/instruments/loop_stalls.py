"""What blocks an event loop: while a sign of life is overdue, the frames of the loop's thread say what it is at."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.instruments.detail import DETAIL
from dozor.instruments.doing import DEBUGGED, Moment, of_frames, thread_frames
from dozor.metrics import Histogram
from dozor.metrics.instruments import histogram_samples
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType

STALL_SECONDS: Final = 0.25
STOOD_STILL: Final = "standing still with the whole process"
_KEPT: Final = 100
_LAG_BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Stall(Struct, frozen=True):
    """One time that a loop did nothing else.

    Attributes:
        began_at: in Unix seconds; late by the interval between two signs of life at most.
        seconds: how long, so far where it is not `ended`.
        doing, place, stack: what the loop's thread was at when the threshold was passed; see `Moment`. No place and no
            stack: it could not be seen, since what blocked the loop held up all threads, or ended just then. *doing* is
            `STOOD_STILL` where no thread ran: the process was stopped, suspended or had no processor.
    """

    began_at: float
    seconds: float
    ended: bool
    doing: str | None
    place: str | None
    stack: tuple[str, ...]

    @property
    def counted(self) -> bool:
        """Whether the application blocked its loop: not while somebody debugs it, nor while the whole process stood still."""
        return self.doing not in {DEBUGGED, STOOD_STILL}


@dataclass(slots=True)
class Stalls:
    """The stalls of the watched loops. Written in Dozor's thread; read there too.

    Args:
        labels: those that every series has.
        threshold_seconds: what is shorter is no stall.
    """

    labels: Labels
    threshold_seconds: float = STALL_SECONDS
    total: int = 0
    seconds_total: float = 0.0
    _kept: deque[Stall] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _under_way: dict[int, Stall] = field(default_factory=dict)
    _lag: Histogram = field(default_factory=lambda: Histogram(_LAG_BOUNDS))

    def overdue(self, key: int, thread: int | None, seconds: float, at: float, still: float = 0.0) -> None:
        """The sign of life of loop *key*, which runs in *thread*, is overdue by *seconds* at *at*, and has not come.

        For *still* seconds of that no thread of the process ran; not for want of the loop.
        """
        seconds -= still
        known = self._under_way.get(key)
        if known is not None:
            self._under_way[key] = replace(known, seconds=seconds)
        elif seconds >= self.threshold_seconds:
            where = Moment(None, None, ())
            if DETAIL.lines and thread is not None:
                where = of_frames(thread_frames(thread))
            self._under_way[key] = Stall(at - seconds, seconds, False, *where)  # noqa: FBT003

    def came(self, key: int, seconds: float, at: float, still: float = 0.0) -> None:
        """The sign of life of loop *key* has come at *at*, late by *seconds*; *still* as in `overdue`."""
        self._lag.observe(seconds)
        known = self._under_way.pop(key, None)
        blocked = seconds - still
        if known is None and seconds < self.threshold_seconds:
            return
        stall = known or Stall(at - seconds, seconds, False, None, None, ())  # noqa: FBT003
        if blocked >= self.threshold_seconds:
            stall = replace(stall, seconds=blocked, ended=True)
        else:
            stall = replace(stall, seconds=seconds, ended=True, doing=STOOD_STILL)
        self._kept.append(stall)
        if stall.counted:
            self.total += 1
            self.seconds_total += stall.seconds

    def forget(self, key: int) -> None:
        """Loop *key* is watched no longer."""
        self._under_way.pop(key, None)

    def all(self) -> list[Stall]:
        """The newest first; those under way before them."""
        return [*self._under_way.values(), *reversed(self._kept)]

    def families(self) -> list[Family]:
        """`event_loop_stall…` and how late signs of life came."""
        name = "event_loop_delay_seconds"
        samples = histogram_samples(name, self.labels, self._lag.bucket_labels, self._lag.snapshot())
        under_way = [one.seconds for one in self._under_way.values() if one.counted]
        return [
            Family.counter(
                "event_loop_stalls_total", "Times that the application blocked its event loop.", "stalls",
                self.total + len(under_way), self.labels,
            ),
            Family.counter(
                "event_loop_stall_seconds_total", "Time for which the application blocked its event loop, in seconds.", "seconds",
                self.seconds_total + sum(under_way), self.labels,
            ),
            Family(
                name, MetricType.HISTOGRAM, "How late callbacks ran, asked for ten times a second, in seconds.", "seconds",
                tuple(samples),
            ),
        ]  # fmt: skip
