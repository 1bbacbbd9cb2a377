"""Which statements cost most, in a window, and what has become of them since the window before."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Literal

from dozor.instruments.query_book import QueryBook
from dozor.instruments.query_statement import OTHER, QueryStatement, QueryWindow
from dozor.instruments.query_tally import WINDOWS, Span, Tally, spans

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
    "errors": lambda window: window.errors,
}


@dataclass(frozen=True, slots=True)
class QueryReport:
    """One statement in one window.

    Attributes:
        statement: redacted.
        present: what it did in the window.
        before: what it did in the one before; None where not all of that was watched.
        change: None where *before* is.
        callers: the lines of code that were seen to send it and how often, in samples; the most frequent first.
        endpoints: the requests that sent it since it was first seen, and how often.
        first_seen: timestamp; *last_seen* likewise.
    """

    pool: str
    fingerprint: str
    statement: str
    operation: str
    present: QueryWindow
    before: QueryWindow | None
    change: Change | None
    callers: tuple[tuple[str, int], ...]
    endpoints: tuple[tuple[str, int], ...]
    first_seen: float
    last_seen: float


@dataclass(frozen=True, slots=True)
class TopQueries:
    """The statements of a window.

    Attributes:
        seconds: how long the window is; less than asked for where the watching began in it.
        compared: whether there was a window before it.
        entries: those that were sent in it, in the order asked for.
        gone: those that were sent in the one before and not in it, those that took most time first.
        everything: all statements together, those that are not among the entries included.
        other: those that found no room to be told apart; None where there are none.
    """

    seconds: float
    compared: bool
    entries: tuple[QueryReport, ...]
    gone: tuple[QueryReport, ...]
    everything: QueryWindow
    other: QueryWindow | None


def top_queries(books: Mapping[str, QueryBook], window: str, order: Order, now: float) -> TopQueries:
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
        everything=QueryWindow.of(found.all_present, found.seconds, found.all_present.seconds),
        other=other,
    )


def one_query(books: Mapping[str, QueryBook], fingerprint: str, now: float) -> dict[str, list[QueryReport]]:
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


class _Found:
    """What some books say of a window. Their locks are held."""

    def __init__(self, books: Mapping[str, QueryBook], window: str, now: float) -> None:
        self._books = books
        since = min((book.since for book in books.values()), default=now)
        length = WINDOWS[window]
        self._present: Span | None = None
        self._before: Span | None = None
        self.seconds = now - since
        if length is not None:
            self._present, self._before = spans(length, now, since)
            self.seconds = self._present.seconds
        self.compared = self._before is not None
        self.all_present = self._everything(self._present)
        self._all_before = self._everything(self._before) if self._before else Tally()

    def report(self, pool: str, statement: QueryStatement) -> QueryReport:
        present = self._window(statement, self._present, self.all_present)
        before = None if self._before is None else self._window(statement, self._before, self._all_before)
        return QueryReport(
            pool=pool,
            fingerprint=statement.fingerprint,
            statement=statement.statement,
            operation=statement.operation,
            present=present,
            before=before,
            change=None if before is None else change_between(before, present),
            callers=statement.callers.items(),
            endpoints=statement.endpoints.items(),
            first_seen=statement.first_seen,
            last_seen=statement.last_seen,
        )

    def other(self) -> QueryWindow | None:
        tallies = [self._tally(book.other, self._present) for book in self._books.values()]
        together = _sum(tallies)
        return QueryWindow.of(together, self.seconds, self.all_present.seconds) if together.calls else None

    def _everything(self, span: Span | None) -> Tally:
        return _sum(
            book.everything.total if span is None else book.everything.read(span) for book in self._books.values()
        )

    def _window(self, statement: QueryStatement, span: Span | None, everything: Tally) -> QueryWindow:
        seconds = self.seconds if span is None else span.seconds
        return QueryWindow.of(self._tally(statement, span), seconds, everything.seconds)

    @staticmethod
    def _tally(statement: QueryStatement, span: Span | None) -> Tally:
        return statement.history.total if span is None else statement.history.read(span)


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
