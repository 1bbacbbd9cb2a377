"""One text that was sent to a database, and what came in under it since Dozor last looked."""

from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from dozor.instruments.query_failure import FailureKind
from dozor.instruments.redaction import MOST_READ, redact

if TYPE_CHECKING:
    from dozor.instruments.query_book import QueryBook
    from dozor.instruments.query_statement import QueryStatement
    from dozor.instruments.query_tally import Tally
    from dozor.metrics import Histogram


class QueryText(deque[tuple[float, int]]):
    """The calls of one text: seconds, and rows (-1: unknown) of each. Any thread appends, Dozor's takes away.

    Attributes:
        text: as it was sent, at most as much of it as redaction reads.
        histogram: that of its operation.
        statement: all texts of the same fingerprint; None until Dozor has read the text.
        failures: the kinds of those that failed.
        callers: lines of code that were seen to send it.
        watched: every result of it is timed, since one took long to be fetched.
        book: whose it is.
        unread: what came in before Dozor had read the text.
        idle_since: monotonic seconds of the last look that found something.
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
        "operation",
        "sampled",
        "statement",
        "text",
        "unread",
        "watched",
    )

    # Texts are told apart by which they are: they are keys of what a request has sent.
    __hash__ = object.__hash__  # type: ignore[assignment]  # a deque has none

    def __init__(
        self, text: str, dialect: str, *, operation: str, histogram: "Histogram", book: "QueryBook", now: float
    ) -> None:
        super().__init__()
        self.text, self.dialect, self.operation, self.histogram = text, dialect, operation, histogram
        self.book = book
        self.statement: QueryStatement | None = None
        self.unread: Tally | None = None
        self.sampled = 0
        self.failures: deque[FailureKind] = deque()
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

    def take(self) -> list[tuple[float, int]]:
        """What came in, which is then no longer here. One thread at a time."""
        take = self.popleft
        return [take() for _ in range(len(self))]


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
