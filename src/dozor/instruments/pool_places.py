"""At which places in the code connections are taken by requests of one kind, as far as it was seen."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from dozor.instruments.pool_tally import NO_KIND, Kind
from dozor.instruments.query_caller import Place, own_lines
from dozor.instruments.work import Work
from dozor.locks import open_in_child

_MOST_ENDPOINTS: Final = 500
_MOST_PLACES: Final = 16
_MOST_TOLD: Final = 3

Taken = tuple[Work | None, Kind, tuple[Place, ...]]
"""A connection was taken: for which request, of which kind (see `kind_of`), and where."""


class UsualPlace(Struct, frozen=True):
    """Lines of code, innermost first, at which connections were taken, and how often that was seen."""

    lines: tuple[str, ...]
    times: int


@dataclass(slots=True)
class _Place:
    stack: tuple[Place, ...]
    times: int = 0


_Key = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Endpoint:
    kind: Kind = NO_KIND
    # By the ids of code objects, and lines. The stack beside them keeps the code objects, so that no other one comes to have their ids.
    places: dict[_Key, _Place] = field(default_factory=dict)


class PoolPlaces:
    """Remembers them by endpoint, `""` for whatever has none. Safe in any thread; bounded."""

    def __init__(self) -> None:
        self._endpoints: dict[str, _Endpoint] = {}
        self._lock = threading.Lock()
        open_in_child(self)

    def fold(self, taken: "deque[Taken]") -> None:
        """Take in what is in *taken*, and leave that empty."""
        with self._lock:
            for _ in range(len(taken)):
                work, kind, stack = taken.popleft()
                endpoint = self._endpoint("" if work is None else work.name)
                if endpoint is not None:
                    endpoint.kind = endpoint.kind if kind is NO_KIND else kind
                    _count(endpoint.places, stack)

    def kind(self, endpoint: str) -> Kind:
        """Of which kind requests of *endpoint* were last seen to be; `NO_KIND`: not known."""
        found = self._endpoints.get(endpoint)
        return NO_KIND if found is None else found.kind

    def usual(self, endpoint: str) -> tuple[UsualPlace, ...]:
        """Where *endpoint* was seen to take connections, the most frequent first, at most three."""
        with self._lock:
            found = self._endpoints.get(endpoint)
            places = [] if found is None else [(place.times, place.stack) for place in found.places.values()]
        places.sort(key=lambda place: -place[0])
        return tuple(UsualPlace(own_lines(stack), times) for times, stack in places[:_MOST_TOLD])

    def _endpoint(self, name: str) -> _Endpoint | None:
        found = self._endpoints.get(name)
        if found is None and len(self._endpoints) < _MOST_ENDPOINTS:
            found = self._endpoints[name] = _Endpoint()
        return found


def _count(places: dict[_Key, _Place], stack: tuple[Place, ...]) -> None:
    key = tuple([(id(code), line) for code, line in stack])
    found = places.get(key)
    if found is None:
        if len(places) >= _MOST_PLACES:
            del places[min(places, key=lambda one: places[one].times)]
        found = places[key] = _Place(stack)
    found.times += 1
