"""One engine's statements: how many, how long, which of them cost most, the slow ones, and the line of code that sends them.

The dialect object's `do_execute` and its two siblings are wrapped: each statement passes one of them, whether it succeeds,
fails or is cancelled. SQLAlchemy's engine events would do too, but one listener switches on the dispatch of all of them,
which costs several times what the measuring does. Where the inside is another than expected, `query_events` listens.

In the application's thread a statement is one look-up by its text and one append; `query_book` does the rest, elsewhere. A few
calls in each interval, and those of new texts, take the longer way (`observe`), which also looks who sent them.
"""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dozor.clock import Clock
from dozor.containment import contained, report
from dozor.instruments.patching import Patch, Replacement, accepts, mentions
from dozor.instruments.query_book import QueryBook
from dozor.instruments.query_caller import find_caller
from dozor.instruments.query_events import QueryEvents
from dozor.instruments.query_failure import kind_of
from dozor.instruments.query_fetch import Reading, TimedCursor
from dozor.instruments.query_planner import QueryPlanner
from dozor.instruments.query_repeats import REPEATED_AT, QueryRepeats
from dozor.instruments.query_slow import Noticed, SlowFetch, SlowQueries, SlowQuery
from dozor.instruments.query_text import QueryText, rows_of
from dozor.instruments.work import Work, current_work
from dozor.locks import open_in_child
from dozor.metrics import Children, Histogram
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

SLOW_SECONDS: Final = 1.0
_FEW: Final = 9
_BOUNDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
    *(0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


class QueryMonitor:
    """Watches the statements of *engine*. Safe in any thread.

    Args:
        pool_name: the label `pool`.
        engine: an `Engine` or `AsyncEngine`.
        clock: dates the slow statements.
        base_labels: labels that every series has beside `pool`.
        slow_seconds: a statement that takes this long, or longer, is slow.
        repeated_at: a request that sends one statement this often, or more often, repeats it (N+1).
        ignore: while this holds True, statements are not counted: those of Dozor itself.
        last: where to note the last statement of each connection, by the pool's record: text, when it was sent, when it ended.
        timer: monotonic seconds, for the hot path; where *last* is given, the clock of who reads that.
    """

    counts_from_zero = True
    at_once = True

    def __init__(
        self,
        pool_name: str,
        engine: "Engine | AsyncEngine",
        clock: Clock,
        *,
        base_labels: Labels = Labels(),  # noqa: B008 - immutable
        slow_seconds: float = SLOW_SECONDS,
        repeated_at: int = REPEATED_AT,
        ignore: ContextVar[bool] | None = None,
        last: dict[Any, list[Any]] | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pool_name, self.name, self.slow_seconds = pool_name, f"queries:{pool_name}", slow_seconds
        self.fallback_reason: str | None = None
        """Why events do the counting, if they do."""
        self._engine: Engine = engine if isinstance(engine, Engine) else engine.sync_engine
        self._clock, self._timer, self._ignore = clock, timer, ignore
        self._last = last
        self._labels = base_labels.with_({"pool": pool_name})
        self._durations = Children(("operation",), lambda: Histogram(_BOUNDS), base=self._labels)
        self.repeats = QueryRepeats(pool_name, self._labels, repeated_at)
        # As many statements of a request are listed; a further one may be the one too many.
        self._few = min(repeated_at - 1, _FEW)
        self.book = QueryBook(self._engine.dialect.name, clock, self._durations, slow_seconds, self.repeats)
        self.planner = QueryPlanner(pool_name, self._engine)
        self._slow = SlowQueries(pool_name)
        self._lock = threading.Lock()
        open_in_child(self)
        self._off: Callable[[], None] | None = None

    def attach(self) -> None:
        """Watch from now on."""
        with self._lock:
            if self._off is not None:
                return
            self.fallback_reason = unsupported(self._engine)
            if self.fallback_reason is None:
                dialect = self._engine.dialect
                patch = Patch(dialect)
                patch.put("do_execute", self.timed(dialect.do_execute))
                patch.put("do_executemany", self.timed(dialect.do_executemany))
                patch.put("do_execute_no_params", self._timed_without_parameters(dialect.do_execute_no_params))
                self._off = patch.remove
            else:
                events = QueryEvents(self._engine, self.observe, self._timer)
                events.listen()
                self._off = events.remove

    def detach(self) -> None:
        """Leave the engine as it was found."""
        with self._lock:
            if self._off is not None:
                self._off()
                self._off = None

    async def refresh(self) -> None:
        """There is nothing to read: statements are counted as they pass. What follows in `families` is less then, and both are short."""
        self.book.take_calls()

    def families(self) -> list[Family]:
        """`db_query_seconds{operation}`, what was slow, what requests repeat, and what found no room."""
        self.book.fold()
        name = "db_query_seconds"
        durations = [
            sample for labels, histogram in self._durations.items() for sample in histogram.samples(name, labels)
        ]
        slow = f"Statements that took {self.slow_seconds:g} s or longer, failed ones included."
        fetches = f"Statements whose rows took {self.slow_seconds:g} s or longer to be read, after they were executed."
        folded = "Statements counted under the fingerprint other, for want of room for one more text."
        return [
            Family(name, MetricType.HISTOGRAM, "Time to execute a statement, in seconds.", "seconds", tuple(durations)),
            self._counter("db_pool_slow_queries_total", slow, self._slow.total.value),
            self._counter("db_query_slow_fetches_total", fetches, self._slow.fetches_total.value),
            self._counter("dozor_query_texts_folded_total", folded, self.book.folded.value),
            *self.repeats.families(),
        ]

    def _counter(self, name: str, text: str, value: float) -> Family:
        return Family.counter(name, text, "statements", value, self._labels)

    @property
    def slow_total(self) -> int:
        """Slow statements since attachment, those no longer kept included."""
        return int(self._slow.total.value)

    @property
    def slow_fetches_total(self) -> int:
        """Slow fetches since attachment, likewise."""
        return int(self._slow.fetches_total.value)

    @property
    def statements_total(self) -> int:
        """Statements since attachment, as of the last cycle."""
        counts = (histogram.snapshot().count for _, histogram in self._durations.items())
        return sum(counts)

    def slow_queries(self) -> tuple[SlowQuery, ...]:
        """The last 500 slow statements, newest first. Redacts: not for the application's threads."""
        return self._slow.executed()

    def slow_fetches(self) -> tuple[SlowFetch, ...]:
        """The last 500 whose rows were slow to be read, newest first. Redacts, likewise."""
        return self._slow.fetched()

    def observe(
        self, statement: str, context: Any, seconds: float, error: BaseException | None, cursor: Any = None
    ) -> None:
        """Take in one statement that took *seconds*, the longer way; *context* is SQLAlchemy's. Never raises."""
        try:
            if self._ignore is not None and self._ignore.get():
                return
            text = self.book.text(statement, context)
            text.append(seconds)
            text.rows.append(rows_of(cursor))
            self.book.look(text, self._timer())
            work = current_work.get()
            if work is not None:
                self._account(work, text, seconds)
            if error is not None:
                text.failures.append(kind_of(error))
                text.raised.append(type(error).__name__)
                if not text.callers and self.book.is_known(text) and (caller := find_caller()) is not None:
                    text.callers.append(caller)
            elif text.watched or statement not in self.book.fast:
                self._look_closely(statement, text, context, cursor)
            if seconds >= self.slow_seconds:
                self._slow.note_execution(
                    Noticed(
                        text=self._own_text(statement, text),
                        seconds=seconds,
                        at=self._clock.timestamp(),
                        caller=find_caller(),
                        endpoint=None if work is None else work.name or None,
                        error=None if error is None else type(error).__name__,
                    )
                )
        except Exception:  # noqa: BLE001 - the statement's own outcome is what the application gets
            report("query.observe")

    def timed(self, original: Replacement) -> Replacement:
        """*original*, a dialect's `do_execute` or one that is called alike, with its statements counted."""
        timer, observe, slow_seconds, repeated = self._timer, self.observe, self.slow_seconds, self._repeated
        fast, work_of, last, repeated_at = self.book.fast, current_work.get, self._last, self.repeats.repeated_at
        few = self._few

        def timed(cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
            started = timer()
            # The text as it is: to redact it is for whoever shows it.
            noted = [statement, started, None]
            try:
                if last is not None:
                    last[context.root_connection._dbapi_connection._connection_record] = noted
            except AttributeError:  # without a Connection, as SQLAlchemy itself sends when it gets to know the server
                pass
            except Exception:  # noqa: BLE001 - the statement is sent whatever happens to the note of it
                report("query.last")
            try:
                result = original(cursor, statement, parameters, context)
            except BaseException as error:
                noted[2] = ended = timer()
                observe(statement, context, ended - started, error)
                raise
            try:
                noted[2] = ended = timer()
                seconds = ended - started
                text = fast.get(statement)
                # Now and then the longer way also looks how many calls wait: to ask that each time costs more.
                if text is None or seconds >= slow_seconds or ended >= text.next_look:
                    observe(statement, context, seconds, None, cursor)
                    return result
                text.append(seconds)
                text.rows.append(cursor.rowcount)
                work = work_of()
                if work is not None:  # as in _account, without the calls
                    work.database_seconds += seconds
                    sent = work.sent
                    if sent is None:
                        work.sent = [text]
                    elif len(sent) < few:
                        sent.append(text)
                    else:
                        times = (work.many or work.sends_many()).times
                        times[text] = count = times.get(text, 0) + 1
                        if count == repeated_at:
                            repeated(work, text)
            except Exception:  # noqa: BLE001 - the application gets its result whatever happens to the count
                report("query.timed")
            return result

        return timed

    def _timed_without_parameters(self, original: Replacement) -> Replacement:
        timed = self.timed(lambda cursor, statement, _none, context: original(cursor, statement, context))

        def timed_without_parameters(cursor: Any, statement: str, context: Any = None) -> Any:
            return timed(cursor, statement, None, context)

        return timed_without_parameters

    def _account(self, work: Work, text: QueryText, seconds: float) -> None:
        work.database_seconds += seconds
        repeated_at = self.repeats.repeated_at
        if work.add_sent(text, self._few) == repeated_at:
            self._repeated(work, text)

    def _repeated(self, work: Work, text: QueryText) -> None:
        """*text* is sent suspiciously often: note the line that does it."""
        if work.many is not None:
            work.many.lines[text] = find_caller()

    def _look_closely(self, statement: str, text: QueryText, context: Any, cursor: Any) -> None:
        """Note who sent *statement*, and time how its rows are read; its next calls go the short way again."""
        if not self.book.is_known(text):
            return
        if not text.watched:
            if (caller := find_caller()) is not None:
                text.callers.append(caller)
            if self._ignore is None and text.text == statement:  # one that is cut is none
                self.book.fast[statement] = text
        if context is not None and cursor is not None and getattr(context, "cursor", None) is cursor:
            work = current_work.get()
            context.cursor = TimedCursor(cursor, lambda reading: self._was_read(text, work, reading), self._timer)

    def _was_read(self, text: QueryText, work: Work | None, reading: Reading) -> None:
        with contained("query.fetch"):
            if reading.noticeable:
                text.watched = True
                self.book.fast.pop(text.text, None)
            if max(reading.fetch_seconds, reading.open_seconds) >= self.slow_seconds:
                self._slow.note_fetch(
                    Noticed(
                        text=text,
                        seconds=reading.fetch_seconds,
                        at=self._clock.timestamp(),
                        caller=find_caller(),
                        endpoint=None if work is None else work.name or None,
                        open_seconds=reading.open_seconds,
                        rows=reading.rows,
                    )
                )

    def _own_text(self, statement: str, text: QueryText) -> QueryText:
        """*text*, or one for *statement* alone where *text* stands for many."""
        return text if self.book.is_known(text) else self.book.text_alone(statement, text.operation)


def unsupported(engine: Engine) -> str | None:
    """Why the dialect of *engine* cannot be wrapped, None if it can. Looks at code only."""
    execute = getattr(Connection, "_exec_single_context", None)
    for method, arguments in (("do_execute", 4), ("do_executemany", 4), ("do_execute_no_params", 3)):
        if not mentions(execute, method):
            return f"SQLAlchemy does not use {method} any more"
        if not accepts(getattr(engine.dialect, method, None), arguments):
            return f"{method} of the dialect takes other arguments than expected"
    return None
