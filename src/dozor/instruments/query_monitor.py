"""One engine's statements: how many, how long, and the slow ones with their text and the line of code that sent them.

The dialect object's `do_execute` and its two siblings are wrapped: each statement passes one of them, whether it succeeds,
fails or is cancelled. SQLAlchemy's engine events would do too, but one listener switches on the dispatch of all of them,
which costs several times what the measuring does. Where the inside is another than expected, `query_events` listens.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from dozor.clock import Clock
from dozor.containment import report
from dozor.instruments.patching import Patch, Replacement, accepts, mentions
from dozor.instruments.query_caller import find_caller
from dozor.instruments.query_events import QueryEvents
from dozor.instruments.redaction import redact
from dozor.locks import open_in_child
from dozor.metrics import Children, Counter, Histogram
from dozor.metrics.instruments import FOLD_AT
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

SLOW_SECONDS: Final = 1.0
SLOW_QUERIES_KEPT: Final = 500
OTHER: Final = "other"
OPERATIONS: Final = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CALL", "COPY", "CREATE", "ALTER", "DROP", "TRUNCATE"),
    *(
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "SET",
        "SHOW",
        "EXPLAIN",
        "PRAGMA",
        "LOCK",
        "VALUES",
        "WITH",
    ),
)
_BOUNDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
    *(0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
_OPERATIONS: Final = frozenset(OPERATIONS)
_SPACE: Final = " \t\r\n("
# What the first six characters say about the operation; one look-up for nearly every statement.
_PREFIX_LENGTH: Final = 6


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """A statement that took longer than the threshold.

    *statement* is redacted and at most 2 KiB; *at* the timestamp of its end; *caller* `file.py:123 in function`; *error*
    the name of the exception's class.
    """

    statement: str
    duration_seconds: float
    at: float
    pool: str
    operation: str
    caller: str | None
    failed: bool
    error: str | None


class QueryMonitor:
    """Watches the statements of *engine*. Safe in any thread.

    Args:
        pool_name: the label `pool`.
        engine: an `Engine` or `AsyncEngine`.
        clock: dates the slow statements.
        base_labels: labels that every series has beside `pool`.
        slow_seconds: a statement that takes this long, or longer, is slow.
        ignore: while this holds True, statements are not counted: those of Dozor itself.
        timer: monotonic seconds, for the hot path.
    """

    counts_from_zero = True

    def __init__(
        self,
        pool_name: str,
        engine: "Engine | AsyncEngine",
        clock: Clock,
        *,
        base_labels: Labels = Labels(),  # noqa: B008 - immutable
        slow_seconds: float = SLOW_SECONDS,
        ignore: ContextVar[bool] | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pool_name, self.name, self.slow_seconds = pool_name, f"queries:{pool_name}", slow_seconds
        self.fallback_reason: str | None = None
        """Why events do the counting, if they do."""
        self._engine: Engine = engine if isinstance(engine, Engine) else engine.sync_engine
        self._clock, self._timer, self._ignore = clock, timer, ignore
        self._labels = base_labels.with_({"pool": pool_name})
        self._durations = Children(("operation",), lambda: Histogram(_BOUNDS), base=self._labels)
        self._pending_by_prefix: dict[str, deque[float]] = {}
        self._slow: deque[SlowQuery] = deque(maxlen=SLOW_QUERIES_KEPT)
        self._slow_total = Counter()
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
                patch.put("do_execute", self._timed(dialect.do_execute))
                patch.put("do_executemany", self._timed(dialect.do_executemany))
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
        """There is nothing to read: statements are counted as they pass."""

    def families(self) -> list[Family]:
        """`db_query_seconds{operation}` and `db_pool_slow_queries_total`."""
        name = "db_query_seconds"
        durations = [
            sample for labels, histogram in self._durations.items() for sample in histogram.samples(name, labels)
        ]
        slow = Sample("db_pool_slow_queries_total", self._labels, self._slow_total.value)
        text = f"Statements that took {self.slow_seconds:g} s or longer, failed ones included."
        return [
            Family(name, MetricType.HISTOGRAM, "Time to execute a statement, in seconds.", "seconds", tuple(durations)),
            Family(slow.name, MetricType.COUNTER, text, "statements", (slow,)),
        ]

    @property
    def slow_total(self) -> int:
        """Slow statements since attachment, those no longer kept included."""
        return int(self._slow_total.value)

    def slow_queries(self) -> tuple[SlowQuery, ...]:
        """The last 500 slow statements, newest first."""
        return tuple(reversed(self._slow.copy()))

    def observe(self, statement: str, context: Any, seconds: float, error: BaseException | None) -> None:
        """Take in one statement that took *seconds*; *context* is SQLAlchemy's execution context. Never raises."""
        try:
            if self._ignore is not None and self._ignore.get():
                return
            self._histogram_for(statement, context).observe(seconds)
            if seconds >= self.slow_seconds:
                self._keep(statement, context, seconds, error)
        except Exception:  # noqa: BLE001 - the statement's own outcome is what the application gets
            report("query.observe")

    def _timed(self, original: Replacement) -> Replacement:
        timer, observe, ignore, slow_seconds = self._timer, self.observe, self._ignore, self.slow_seconds
        pending_by_prefix = self._pending_by_prefix

        def timed(cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
            started = timer()
            try:
                result = original(cursor, statement, parameters, context)
            except BaseException as error:
                observe(statement, context, timer() - started, error)
                raise
            try:
                seconds = timer() - started
                pending = pending_by_prefix.get(statement[:_PREFIX_LENGTH])
                if pending is None or seconds >= slow_seconds or ignore is not None or len(pending) > FOLD_AT:
                    observe(statement, context, seconds, None)
                else:
                    pending.append(seconds)
            except Exception:  # noqa: BLE001 - the application gets its result whatever happens to the count
                report("query.timed")
            return result

        return timed

    def _timed_without_parameters(self, original: Replacement) -> Replacement:
        timed = self._timed(lambda cursor, statement, _none, context: original(cursor, statement, context))

        def timed_without_parameters(cursor: Any, statement: str, context: Any = None) -> Any:
            return timed(cursor, statement, None, context)

        return timed_without_parameters

    def _histogram_for(self, statement: str, context: Any) -> Histogram:
        operation = operation_of(statement, context)
        histogram = self._durations.get(operation)
        prefix = statement[:_PREFIX_LENGTH]
        if len(prefix) == _PREFIX_LENGTH and prefix.upper() == operation[:_PREFIX_LENGTH]:
            self._pending_by_prefix[prefix] = histogram.pending  # a few spellings of a few words: it stays small
        return histogram

    def _keep(self, statement: str, context: Any, seconds: float, error: BaseException | None) -> None:
        self._slow_total.inc()
        self._slow.append(
            SlowQuery(
                statement=redact(statement, self._engine.dialect.name),
                duration_seconds=seconds,
                at=self._clock.timestamp(),
                pool=self.pool_name,
                operation=operation_of(statement, context),
                caller=find_caller(),
                failed=error is not None,
                error=None if error is None else type(error).__name__,
            )
        )


def operation_of(statement: str, context: Any) -> str:
    """The statement's first word, if it is one of `OPERATIONS`, else `other`. *context*: SQLAlchemy's, or None.

    A statement that begins with WITH is named by what it does where SQLAlchemy has compiled it, else `WITH`.
    """
    word = _first_word(statement)
    if word == "WITH" and context is not None:
        for flag, operation in (("isinsert", "INSERT"), ("isupdate", "UPDATE"), ("isdelete", "DELETE")):
            if getattr(context, flag, False):
                return operation
        if getattr(context, "compiled", None) is not None and not getattr(context, "is_text", True):
            return "SELECT"
    return word if word in _OPERATIONS else OTHER


def _first_word(statement: str) -> str:
    text = statement[:1024].lstrip(_SPACE)
    while text.startswith(("--", "/*")):
        text = text.partition("\n" if text.startswith("--") else "*/")[2].lstrip(_SPACE)
    word = text[:16]
    for end, character in enumerate(word):
        if not character.isalpha():
            return word[:end].upper()
    return word.upper()


def unsupported(engine: Engine) -> str | None:
    """Why the dialect of *engine* cannot be wrapped, None if it can. Looks at code only."""
    execute = getattr(Connection, "_exec_single_context", None)
    for method, arguments in (("do_execute", 4), ("do_executemany", 4), ("do_execute_no_params", 3)):
        if not mentions(execute, method):
            return f"SQLAlchemy does not use {method} any more"
        if not accepts(getattr(engine.dialect, method, None), arguments):
            return f"{method} of the dialect takes other arguments than expected"
    return None
