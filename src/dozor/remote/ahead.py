"""What rules ask of a metrics server, fetched before they ask.

Rules are evaluated on Dozor's loop, which must not wait for anybody. So a rule is answered from what was fetched last, in a thread
beside, a moment ago, and what it asked is fetched from then on. A rule that asks for the first time is told so, and has its answer at
one of the next evaluations.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from dozor.errors import PromQLError
from dozor.model.labels import Labels
from dozor.remote.server import ServerUnreachable
from dozor.store.columns import in_columns
from dozor.store.interface import Matchers, Queryable, Selection, milliseconds
from dozor.store.window import Window

_BUCKET_MS: Final = 300_000
_FORGOTTEN_AFTER_SECONDS: Final = 900.0
_MOST_WANTED: Final = 5000


class _Wanted(NamedTuple):
    """Something that rules ask for; *before*: how long before the evaluation it ends, in milliseconds."""

    kind: str
    matchers: Matchers
    before: int
    lookback: int = 0


class _Answer(NamedTuple):
    """What the server said, as of when, and how far back it was asked, in milliseconds."""

    as_of: int
    reach: int
    selection: Selection | None = None
    latest: tuple[list[Labels], list[float]] | None = None
    error: PromQLError | None = None


@dataclass(slots=True)
class _Held:
    """How far back something is wanted, when it was last, and the answer, which is replaced as a whole."""

    reach: int
    asked_at: float
    answer: _Answer | None = None


class Ahead:
    """A `Queryable` that never waits. `begin` and the queries belong to one thread, `fetch` to another.

    Args:
        remote: what is asked, in the thread of `fetch`.
        now: Unix seconds.
        interval_seconds: how often everything is fetched anew.
    """

    def __init__(self, remote: Queryable, now: Callable[[], float], interval_seconds: float) -> None:
        self._remote, self._now = remote, now
        self._interval_seconds = interval_seconds
        self._held: dict[_Wanted, _Held] = {}
        self._at = 0
        self._fetched_at: float | None = None
        self._missing = False
        self.failure: str | None = None
        """What kept the last fetch from getting everything; None: it got it."""

    def begin(self, at: float) -> None:
        """An evaluation as of *at* (Unix seconds) begins."""
        self._at = milliseconds(at)

    @property
    def due(self) -> bool:
        """Whether it is time to fetch."""
        late = self._fetched_at is None or self._now() - self._fetched_at >= self._interval_seconds
        return bool(self._held) and (late or self._missing)

    def select(self, matchers: Matchers, start: int, end: int, *, markers: bool = False) -> Selection:
        """See `Queryable`. Raises PromQLError for what is not known yet, or could not be had."""
        before = max(0, self._at - end) // _BUCKET_MS * _BUCKET_MS
        answer = self._answer(_Wanted("markers" if markers else "samples", matchers, before), self._at - start)
        if answer.selection is None:
            raise self._first_time()
        return _shown(answer.selection, start, end, max(0, self._at - answer.as_of))

    def latest(self, matchers: Matchers, at: int, lookback: int) -> tuple[list[Labels], list[float]]:
        """See `Queryable`. Raises as `select` does."""
        answer = self._answer(_Wanted("latest", matchers, self._at - at, lookback), 0)
        if answer.latest is None:
            raise self._first_time()
        return answer.latest

    def lacks(self, metrics: frozenset[str]) -> bool:  # noqa: ARG002
        """See `Queryable`."""
        return False

    def fetch(self) -> None:
        """Ask the server for everything that is wanted. Blocks; raises nothing of the server's."""
        now = self._now()
        everything = self._fetched_at is None or now - self._fetched_at >= self._interval_seconds
        self._missing = False
        failure: PromQLError | None = None
        unreachable: ServerUnreachable | None = None
        for wanted, held in list(self._held.items()):
            if now - held.asked_at > _FORGOTTEN_AFTER_SECONDS:
                del self._held[wanted]
                continue
            answer = held.answer
            if everything or answer is None or answer.reach < held.reach:
                answer = held.answer = self._ask(wanted, held.reach, milliseconds(now), unreachable)
            if isinstance(answer.error, ServerUnreachable):
                unreachable = answer.error
            failure = failure or answer.error
        if everything:
            self._fetched_at = now
        self.failure = None if failure is None else str(failure)

    def _ask(self, wanted: _Wanted, reach: int, at: int, unreachable: ServerUnreachable | None) -> _Answer:
        if unreachable is not None:  # one that does not answer is not waited for again and again
            return _Answer(at, reach, error=unreachable)
        end = at - wanted.before
        try:
            if wanted.kind == "latest":
                return _Answer(at, reach, latest=self._remote.latest(wanted.matchers, end, wanted.lookback))
            markers = wanted.kind == "markers"
            return _Answer(at, reach, self._remote.select(wanted.matchers, at - reach, end, markers=markers))
        except PromQLError as error:
            return _Answer(at, reach, error=error)

    def _answer(self, wanted: _Wanted, reach: int) -> _Answer:
        held = self._held.get(wanted)
        if held is None:
            if len(self._held) >= _MOST_WANTED:
                raise PromQLError(f"rules ask the metrics server for more than {_MOST_WANTED} different things")
            held = self._held[wanted] = _Held(reach, self._now())
        held.asked_at = self._now()
        held.reach = max(held.reach, reach)
        answer = held.answer
        if answer is None or answer.reach < reach:
            raise self._first_time()
        if answer.error is not None:
            raise answer.error
        return answer

    def _first_time(self) -> PromQLError:
        self._missing = True
        return PromQLError("the metrics server is asked for this for the first time; the next evaluation has it")


def _shown(selection: Selection, start: int, end: int, late: int) -> Selection:
    """The part of *selection* in (*start*, *end*] as it was *late* milliseconds ago, dated as if that were now.

    An evaluation between two fetches so sees what one at the fetch would have seen. Without, a window would lack its newest samples,
    and rates fall until the next fetch.
    """
    rows = [
        (labels, bare, _moved(part, late))
        for labels, bare, window in zip(selection.labels, selection.bare, selection.windows, strict=True)
        if (part := window.between(start - late, end - late)) is not None
    ]
    if len(rows) == len(selection.labels):
        return Selection(selection.labels, selection.bare, in_columns(row[2] for row in rows))
    return Selection([row[0] for row in rows], [row[1] for row in rows], in_columns(row[2] for row in rows))


def _moved(window: Window, by: int) -> Window:
    if not by:
        return window
    times = array("q", [time + by for time in window.time_slice()])
    return Window(times, window.values, 0, window.first_value, window.size)
