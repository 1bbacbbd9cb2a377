"""What came in by text, sorted by fingerprint: in Dozor's thread, once in each interval.

The application's threads only append to a `QueryText`. Redaction, sketches, windows and what requests sent are worked out here.
All of it is bounded: texts, their length, statements, and the work of one look. What finds no room is counted as `other`.
"""

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from dozor.clock import Clock
from dozor.containment import contained
from dozor.instruments.query_operation import operation_of
from dozor.instruments.query_repeats import QueryRepeats
from dozor.instruments.query_statement import QueryStatement
from dozor.instruments.query_tally import Tally
from dozor.instruments.query_text import QueryText, fingerprint_of, key_of
from dozor.instruments.statement_book import StatementBook
from dozor.instruments.work_finished import FinishedWork, finished_works
from dozor.metrics import Children, Counter, Histogram
from dozor.metrics.instruments import FOLD_AT, LOOK_SECONDS

MOST_TEXTS: Final = 2000

_MOST_CHARACTERS: Final = 4_000_000
_MOST_WORKS: Final = 10_000
# What one look reads anew, which takes some 20 µs each: an application whose texts are all different costs 1 % of a core.
_READ_AT_ONCE: Final = 200
# How many texts have their next call looked at more closely, which takes some 10 µs each.
_SAMPLED_AT_ONCE: Final = 10
_TEXT_IDLE_SECONDS: Final = 5.0


class QueryBook(StatementBook):
    """The statements that pass one engine. `text` and `fast` are for any thread, the rest is guarded by a lock.

    Args:
        dialect: SQLAlchemy's name of it.
        clock: dates and measures.
        durations: a histogram for each operation.
        slow_seconds: from when on a call is slow.
        repeats: where statements that a request repeats are noted.
    """

    def __init__(
        self, dialect: str, clock: Clock, durations: Children[Histogram], slow_seconds: float, repeats: QueryRepeats
    ) -> None:
        super().__init__(dialect, clock, "application")
        self.fast: dict[str, QueryText] = {}
        """The texts whose calls need no closer look, by what was sent."""
        self.folded = Counter()
        """Calls counted as `other`."""
        self.works: deque[tuple[FinishedWork, int]] = deque(maxlen=_MOST_WORKS)
        self._slow_seconds = slow_seconds
        self._durations, self._repeats = durations, repeats
        self._texts: dict[str, QueryText] = {}
        self._characters = 0
        self._leaving: list[QueryText] = []
        self._active: set[QueryText] = set()
        self._other_texts: dict[str, QueryText] = {}
        # Of its own, so that no statement waits while Dozor's thread reads.
        self._texts_lock = threading.Lock()

    def _renew_locks(self) -> threading.Lock:
        self._texts_lock = threading.Lock()
        return threading.Lock()

    # -- in any thread -------------------------------------------------------------------------------------------------

    def text(self, statement: str, context: Any) -> QueryText:
        """Where calls of *statement* are counted; *context* is SQLAlchemy's execution context, or None."""
        return self._texts.get(key_of(statement)) or self._new_text(statement, context)

    def _new_text(self, statement: str, context: Any) -> QueryText:
        operation, key = operation_of(statement, context), key_of(statement)
        histogram, now = self._durations.get(operation), self._clock.monotonic()
        with self._texts_lock:
            found = self._texts.get(key)
            if found is not None:
                return found
            if len(self._texts) >= MOST_TEXTS or self._characters >= _MOST_CHARACTERS:
                return self._other_text(operation, histogram, now)
            text = self._texts[key] = self._make(key, operation, histogram, now)
            self._characters += len(key)
            return text

    def _other_text(self, operation: str, histogram: Histogram, now: float) -> QueryText:
        found = self._other_texts.get(operation)
        if found is None:
            found = self._other_texts[operation] = self._make("", operation, histogram, now)
            found.statement = self.other
        return found

    def text_alone(self, statement: str, operation: str) -> QueryText:
        """One for *statement* that is not counted in: for whoever shows it."""
        return self._make(key_of(statement), operation, self._durations.get(operation), self._clock.monotonic())

    def _make(self, key: str, operation: str, histogram: Histogram, now: float) -> QueryText:
        return QueryText(key, self._dialect, operation=operation, histogram=histogram, book=self, now=now)

    def is_known(self, text: QueryText) -> bool:
        """Whether *text* is one text, and not what stands for those without room."""
        return text.statement is not self.other

    def relieve(self, text: QueryText) -> None:
        """Take in what *text* has while Dozor's thread does not, unless somebody is at it."""
        if self._lock.acquire(blocking=False):
            try:
                self._take(text)
            finally:
                self._lock.release()

    def look(self, text: QueryText, now: float) -> None:
        """Relieve *text* if it has much; *now* is monotonic."""
        text.next_look = now + LOOK_SECONDS
        if len(text) > FOLD_AT:
            self.relieve(text)

    # -- in Dozor's thread ---------------------------------------------------------------------------------------------

    def take_calls(self) -> None:
        """Add up the calls that have come: half of `fold`, for who wants to pause before the other."""
        with self._lock, contained("query.take"):
            self._take_calls()

    def fold(self) -> None:
        """Take in what has come since the last time."""
        with self._lock, contained("query.fold"):
            self._fold()

    @property
    def texts(self) -> int:
        """How many texts are known."""
        return len(self._texts)

    def _fold(self) -> None:
        self._take_calls()
        now, at = self._clock.monotonic(), self._clock.timestamp()
        for text in self._leaving:
            self._take(text)
        self.folded.inc(sum(self._take(text) for text in list(self._other_texts.values())))
        self._leaving.clear()
        self._settle(now, at)
        self._take_works(at)
        self._make_room(now)
        active, self._active = self._active, set()
        self._sample(active)

    def _take_calls(self) -> None:
        now = self._clock.monotonic()
        self._read_texts(self._clock.timestamp())
        for text in self._all_texts():
            if (text or text.failures) and self._take(text):
                text.idle_since = now
                self._active.add(text)

    def _all_texts(self) -> list[QueryText]:
        with self._texts_lock:
            return list(self._texts.values())

    def _read_texts(self, at: float) -> None:
        unread = [text for text in self._all_texts() if text.statement is None]
        for text in unread[:_READ_AT_ONCE]:
            self._read(text, at)

    def _read(self, text: QueryText, at: float) -> None:
        shown = text.shown
        statement = self._statement(fingerprint_of(shown, self._dialect), shown, text.operation, text.text, at)
        text.statement = statement
        if text.unread is not None:
            self._add(statement, text.unread)
            text.unread = None

    def _dropped(self, statement: QueryStatement) -> None:
        for text in [text for text in self._all_texts() if text.statement is statement]:
            self._drop_text(text)
            text.statement = self.other

    def _take(self, text: QueryText) -> int:
        """Add up the calls that *text* has; how many they were."""
        seconds, rows = text.take()
        if not seconds and not text.failures:
            return 0
        seconds.sort()  # as histogram and sketch need them
        text.histogram.take_in(seconds)
        statement = text.statement
        if statement is None:
            tally = text.unread = text.unread or Tally()
        else:
            tally = statement.pending = statement.pending or Tally()
            while text.callers:
                statement.callers.add(text.callers.popleft())
            while text.raised:
                statement.raised.add(text.raised.popleft())
        tally.add(seconds, _known(rows), self._slow_seconds)
        for _ in range(len(text.failures)):
            kind = text.failures.popleft()
            tally.errors += 1
            tally.timeouts += kind == "timeout"
            tally.cancelled += kind == "cancelled"
        return len(seconds)

    def _take_works(self, at: float) -> None:
        _hand_out_works()
        for _ in range(len(self.works)):
            work, requests = self.works.popleft()
            times: dict[QueryStatement, int] = {}
            lines = {text.statement: line for text, line in work.repeated if line is not None}
            for text, count in work.sent:
                if text.book is self and text.statement is not None:
                    times[text.statement] = times.get(text.statement, 0) + count
            for statement, count in times.items():
                statement.endpoints.add(work.name, requests * count)
                if statement is not self.other:
                    self._repeats.note(
                        work.name, statement, count, caller=lines.get(statement), at=at, requests=requests
                    )

    def _make_room(self, now: float) -> None:
        if len(self._texts) < 0.75 * MOST_TEXTS and self._characters < 0.75 * _MOST_CHARACTERS:
            return
        idle = [text for text in self._all_texts() if now - text.idle_since >= _TEXT_IDLE_SECONDS]
        idle.sort(key=lambda text: text.idle_since)
        for text in idle[: MOST_TEXTS // 2]:
            self._drop_text(text)

    def _drop_text(self, text: QueryText) -> None:
        self.fast.pop(text.text, None)
        with self._texts_lock:
            del self._texts[text.text]
            self._characters -= len(text.text)
        if text.statement is None:
            text.statement = self.other
            if text.unread is not None:
                self.folded.inc(text.unread.calls)
                self._add(self.other, text.unread)
        self._leaving.append(text)  # a thread may be about to add to it

    def _sample(self, active: Iterable[QueryText]) -> None:
        """Have a closer look at the next calls of those that were looked at the longest ago."""
        candidates = sorted((text for text in active if text.text in self.fast), key=lambda text: text.sampled)
        for text in candidates[:_SAMPLED_AT_ONCE]:
            text.sampled += 1
            self.fast.pop(text.text, None)


def _known(rows: list[int]) -> list[int]:
    # Many drivers know none where rows are read one by one, which is seen without looking at each.
    return [] if rows.count(-1) == len(rows) else [number for number in rows if number >= 0]


def _hand_out_works() -> None:
    """Give what requests sent to the books that their statements stand in; there may be one for each engine."""
    for work, requests in finished_works.take().items():
        for book in {text.book for text, _ in work.sent}:
            book.works.append((work, requests))
