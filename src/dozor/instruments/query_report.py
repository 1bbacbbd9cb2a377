"""Which statements cost most, in a window, and what has become of them since the window before."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Final, Literal

from msgspec import Struct

from dozor.instruments.query_statement import OTHER, QueryStatement, QueryWindow
from dozor.instruments.query_tally import WINDOWS, History, Span, Tally, spans
from dozor.instruments.statement_book import Source, StatementBook

Order = Literal["total", "calls", "mean", "p95", "errors"]
Change = Literal["new", "slower", "faster", "same", "gone"]

# A change of the mean is told from noise by being large, by ratio and in time, and by resting on more than a few calls.
_CHANGED_BY: Final = 1.5
_CHANGED_SECONDS: Final = 0.001
_FEW_CALLS: Final = 5

_ORDERS: Final[Mapping[Order, Callable[[QueryWindow], float]]] = {
    "total": lambda window: window.total_seconds,
    "calls": lambda window: window.calls,
    "mean": lambda window: window.mean_seconds or 0.0,
    "p95": lambda window: window.p95_seconds or 0.0,
    "errors": lambda window: window.errors or 0,
}


class QueryReport(Struct, frozen=True):
    """One statement in one window.

    Attributes:
        source: who counted.
        statement: redacted.
        present: what it did in the window.
        before: what it did in the one before; None where not all of that was watched.
        change: None where *before* is.
        callers: the lines of code that were seen to send it and how often, in samples; the most frequent first.
        endpoints: the requests that sent it since it was first seen, and how often.
        raised: the classes of the errors with which it failed since then, and how often.
        first_seen: timestamp; *last_seen* likewise.
    """

    pool: str
    source: Source
    fingerprint: str
    statement: str
    operation: str
    present: QueryWindow
    before: QueryWindow | None
    change: Change | None
    callers: tuple[tuple[str, int], ...]
    endpoints: tuple[tuple[str, int], ...]
    raised: tuple[tuple[str, int], ...]
    first_seen: float
    last_seen: float


class TopQueries(Struct, frozen=True):
    """The statements of a window.

    Attributes:
        seconds: how long the window is; less than asked for where the watching began in it.
        compared: whether there was a window before it.
        entries: those that were sent in it, in the order asked for.
        gone: those that were sent in the one before and not in it, those that took most time first.
        everything: all statements together, those that are not among the entries included. What the application and a server have both
            counted is in it twice.
        other: those that found no room to be told apart; None where there are none.
    """

    seconds: float
    compared: bool
    entries: tuple[QueryReport, ...]
    gone: tuple[QueryReport, ...]
    everything: QueryWindow
    other: QueryWindow | None


def top_queries(books: Mapping[str, StatementBook], window: str, order: Order, now: float) -> TopQueries:
    """The statements of *books* (by the name of the pool) in *window*, which is one of `WINDOWS`, as of *now* (monotonic)."""
    with ExitStack() as locks:
        for book in books.values():
            locks.enter_context(book.reading)
        found = _Found(books, window, now)
        reports = [
            found.report(pool, statement)
            for pool, book in books.items()
            for statement in book.statements()
            if statement.fingerprint != OTHER
        ]
        other = found.other()
    present = sorted(
        (one for one in reports if one.present.calls), key=lambda one: _ORDERS[order](one.present), reverse=True
    )
    gone = [one for one in reports if one.change == "gone"]
    gone.sort(key=lambda one: -(one.before.total_seconds if one.before else 0.0))
    return TopQueries(
        seconds=found.seconds,
        compared=found.compared,
        entries=tuple(present),
        gone=tuple(gone),
        everything=found.everything(),
        other=other,
    )


def one_query(books: Mapping[str, StatementBook], fingerprint: str, now: float) -> dict[str, list[QueryReport]]:
    """The statement of that fingerprint in every window, by the window's name; one report for each pool that knows it."""
    found: dict[str, list[QueryReport]] = {}
    with ExitStack() as locks:
        for book in books.values():
            locks.enter_context(book.reading)
        for window in WINDOWS:
            reader = _Found(books, window, now)
            found[window] = [
                reader.report(pool, statement)
                for pool, book in books.items()
                if (statement := book.statement(fingerprint)) is not None
            ]
    return found


class _Watched(Struct, frozen=True):
    """A window as one book knows it; None: all since the watching began, or no window before it."""

    present: Span | None
    before: Span | None
    seconds: float

    @classmethod
    def of(cls, book: StatementBook, length: float | None, now: float) -> "_Watched":
        if length is None:
            return cls(None, None, now - book.since)
        present, before = spans(length, now, book.since)
        return cls(present, before, present.seconds)


class _Found:
    """What some books say of a window. Their locks are held."""

    def __init__(self, books: Mapping[str, StatementBook], window: str, now: float) -> None:
        self._books = books
        self._watched = {pool: _Watched.of(book, WINDOWS[window], now) for pool, book in books.items()}
        self.seconds = max((one.seconds for one in self._watched.values()), default=0.0)
        self.compared = any(one.before is not None for one in self._watched.values())
        # A share is one of what the same source counts: two sources may have counted the same statements.
        self._all_present: dict[Source, Tally] = {}
        self._all_before: dict[Source, Tally] = {}
        for pool, book in books.items():
            watched = self._watched[pool]
            self._all_present.setdefault(book.source, Tally()).merge(_read(book.everything, watched.present))
            if watched.before is not None:
                self._all_before.setdefault(book.source, Tally()).merge(book.everything.read(watched.before))

    def report(self, pool: str, statement: QueryStatement) -> QueryReport:
        source, watched = self._books[pool].source, self._watched[pool]
        present = self._window(statement, watched.present, watched.seconds, source, self._all_present)
        before = None
        if watched.before is not None:
            before = self._window(statement, watched.before, watched.before.seconds, source, self._all_before)
        return QueryReport(
            pool=pool,
            source=source,
            fingerprint=statement.fingerprint,
            statement=statement.statement,
            operation=statement.operation,
            present=present,
            before=before,
            change=None if before is None else change_between(before, present),
            callers=statement.callers.items(),
            endpoints=statement.endpoints.items(),
            raised=statement.raised.items(),
            first_seen=statement.first_seen,
            last_seen=statement.last_seen,
        )

    def everything(self) -> QueryWindow:
        together = _sum(self._all_present.values())
        return QueryWindow.of(together, self.seconds, together.seconds, each_known=self._each_known)

    def other(self) -> QueryWindow | None:
        together = _sum(_read(book.other.history, self._watched[pool].present) for pool, book in self._books.items())
        if not together.calls:
            return None
        everything = sum(one.seconds for one in self._all_present.values())
        return QueryWindow.of(together, self.seconds, everything, each_known=self._each_known)

    @property
    def _each_known(self) -> bool:
        return not self._books or "application" in self._all_present

    @staticmethod
    def _window(
        statement: QueryStatement, span: Span | None, seconds: float, source: Source, everything: Mapping[Source, Tally]
    ) -> QueryWindow:
        tally = _read(statement.history, span)
        return QueryWindow.of(tally, seconds, everything[source].seconds, each_known=source == "application")


def _read(history: History, span: Span | None) -> Tally:
    return history.total if span is None else history.read(span)


def change_between(before: QueryWindow, present: QueryWindow) -> Change:
    """What has become of a statement between two windows."""
    if not before.calls:
        return "new" if present.calls else "same"
    if not present.calls:
        return "gone"
    was, now = before.mean_seconds or 0.0, present.mean_seconds or 0.0
    if min(before.calls, present.calls) < _FEW_CALLS or abs(now - was) < _CHANGED_SECONDS:
        return "same"
    if now >= _CHANGED_BY * was:
        return "slower"
    return "faster" if was >= _CHANGED_BY * now else "same"


def _sum(tallies: Iterable[Tally]) -> Tally:
    together = Tally()
    for tally in tallies:
        together.merge(tally)
    return together
