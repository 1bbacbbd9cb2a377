"""One text that was sent to a database, and what came in under it since Dozor last looked."""

from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from dozor.instruments.query_failure import FailureKind
from dozor.instruments.redaction import MOST_READ, redact
from dozor.metrics.instruments import take_all

if TYPE_CHECKING:
    from dozor.instruments.query_book import QueryBook
    from dozor.instruments.query_statement import QueryStatement
    from dozor.instruments.query_tally import Tally
    from dozor.metrics import Histogram


class QueryText(list[float]):
    """The calls of one text: the seconds of each. Any thread appends, Dozor's takes away.

    Numbers and no tuples: those would be as many objects for the garbage collector to visit until they are taken.

    Attributes:
        text: as it was sent, at most as much of it as redaction reads.
        rows: what the driver said of the rows of each, -1 where it said nothing; in order, and an entry late at times.
        histogram: that of its operation.
        statement: all texts of the same fingerprint; None until Dozor has read the text.
        failures: the kinds of those that failed; *raised* are the classes of their errors.
        callers: lines of code that were seen to send it.
        watched: every result of it is timed, since one took long to be fetched.
        book: whose it is.
        unread: what came in before Dozor had read the text.
        idle_since: monotonic seconds of the last look that found something.
        next_look: when a call is to look whether there are too many of them, by the timer of those who append.
        sampled: how often it was chosen for a closer look.
    """

    __slots__ = (
        "_shown",
        "book",
        "callers",
        "dialect",
        "failures",
        "histogram",
        "idle_since",
        "next_look",
        "operation",
        "raised",
        "rows",
        "sampled",
        "statement",
        "text",
        "unread",
        "watched",
    )

    # Texts are told apart by which they are: they are keys of what a request has sent.
    __hash__ = object.__hash__  # type: ignore[assignment]  # a list has none

    def __init__(
        self, text: str, dialect: str, *, operation: str, histogram: "Histogram", book: "QueryBook", now: float
    ) -> None:
        super().__init__()
        self.text, self.dialect, self.operation, self.histogram = text, dialect, operation, histogram
        self.book = book
        self.rows: list[int] = []
        self.statement: QueryStatement | None = None
        self.unread: Tally | None = None
        self.sampled = 0
        self.next_look = 0.0
        self.failures: deque[FailureKind] = deque()
        self.raised: deque[str] = deque()
        self.callers: deque[str] = deque(maxlen=8)
        self.watched = False
        self.idle_since = now
        self._shown: str | None = None

    def __eq__(self, other: object) -> bool:
        return self is other

    @property
    def shown(self) -> str:
        """The text without literals. The first time this takes some 20 µs a kilobyte: not for the application's threads."""
        if self._shown is None:
            self._shown = redact(self.text, self.dialect)
        return self._shown

    @property
    def fingerprint(self) -> str:
        """What it has in common with all texts that differ in nothing but literals, comments and space: 16 hexadecimal digits."""
        return fingerprint_of(self.shown, self.dialect)

    def take(self) -> tuple[list[float], list[int]]:
        """The seconds and rows that came in, which are then no longer here. One thread at a time."""
        return take_all(self), take_all(self.rows)


def key_of(statement: str) -> str:
    """What stands for *statement*: itself, or as much of it as is read."""
    return statement if len(statement) <= MOST_READ else statement[: MOST_READ + 1]


def fingerprint_of(shown: str, dialect: str) -> str:
    """The fingerprint of a redacted text: the same in every process and version."""
    return blake2b(f"{dialect}\0{shown}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def rows_of(cursor: Any) -> int:
    """What *cursor* says of the rows of its statement, -1 where it says nothing."""
    rows = getattr(cursor, "rowcount", -1)
    return rows if isinstance(rows, int) else -1
