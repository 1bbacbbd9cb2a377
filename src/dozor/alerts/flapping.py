"""What fires again and again is told seldom: how often each alert's identity has fired, and when people last heard."""

from bisect import bisect_left, insort
from typing import Final

from msgspec import Struct

from dozor.alerts.tracking import RuleTrack
from dozor.model.labels import Labels

_PRUNE_SECONDS: Final = 60.0


class FlappingPolicy(Struct, frozen=True):
    """When an alert flaps, and how seldom people hear of one that does.

    Attributes:
        count: an alert flaps that has fired at least this often; 0: none ever does.
        window_seconds: within this time.
        quiet_seconds: between two messages about one that flaps.
    """

    count: int = 4
    window_seconds: float = 1800.0
    quiet_seconds: float = 900.0


class FlapRecord:
    """Of each identity (a rule's track, and labels) the times at which it fired, and when its flapping was last told.

    Built anew from alerts that are read back, so there is nothing of it to keep.
    """

    def __init__(self, policy: FlappingPolicy) -> None:
        self.policy = policy
        self._fired: dict[tuple[RuleTrack, Labels], list[float]] = {}
        self._heard: dict[tuple[RuleTrack, Labels], float] = {}
        self._pruned_at = float("-inf")

    def fired(self, track: RuleTrack, labels: Labels, at: float) -> None:
        """An alert of this identity fired at *at*."""
        if self.policy.count:
            insort(self._fired.setdefault((track, labels), []), at)

    def heard(self, track: RuleTrack, labels: Labels, at: float) -> None:
        """People were told at *at* of an alert of this identity that flaps."""
        self._heard[track, labels] = max(at, self._heard.get((track, labels), at))

    def flaps(self, track: RuleTrack, labels: Labels, at: float) -> int:
        """How often this identity has fired in the time before *at* that counts; 0 where that is too seldom."""
        times = self._fired.get((track, labels), ())
        if not times or len(times) < self.policy.count:
            return 0
        count = len(times) - bisect_left(times, at - self.policy.window_seconds)
        return count if count >= self.policy.count else 0

    def quiet_until(self, track: RuleTrack, labels: Labels) -> float | None:
        """Until when people have heard enough of this identity's flapping."""
        heard = self._heard.get((track, labels))
        return None if heard is None else heard + self.policy.quiet_seconds

    def move(self, labels: Labels, old: RuleTrack, heir: RuleTrack) -> None:
        """What is known of *labels* under *old* is so under *heir*."""
        for times in self._fired.pop((old, labels), ()):
            self.fired(heir, labels, times)
        heard = self._heard.pop((old, labels), None)
        if heard is not None:
            self.heard(heir, labels, heard)

    def prune(self, at: float) -> None:
        """Forget what no longer counts at *at*."""
        if at - self._pruned_at < _PRUNE_SECONDS:
            return
        self._pruned_at = at
        since = at - self.policy.window_seconds
        recent = {key: times[bisect_left(times, since) :] for key, times in self._fired.items() if times[-1] >= since}
        self._fired = recent
        quiet_since = at - self.policy.quiet_seconds
        self._heard = {key: heard for key, heard in self._heard.items() if heard > quiet_since}
