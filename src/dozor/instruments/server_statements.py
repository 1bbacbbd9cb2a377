"""The statements that a server counts, in the windows in which those that pass an engine are kept, too."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from dozor.clock import Clock
from dozor.instruments.own_mark import MARK
from dozor.instruments.query_operation import operation_of
from dozor.instruments.query_tally import Tally
from dozor.instruments.query_text import fingerprint_of
from dozor.instruments.redaction import redact
from dozor.instruments.statement_book import StatementBook
from dozor.instruments.statement_differences import StatementDifferences, StatementReading

MOST_TEXTS_AT_ONCE: Final = 100
"""How many texts are fetched after one reading; what was called in the meantime by others counts as `other`."""

_MOST_KNOWN: Final = 10_000
_DIALECT: Final = "postgresql"
# What opens and ends Dozor's transactions, and what asks whether the server is there; of no weight where others send it.
_OWN_OPERATIONS: Final = frozenset({"BEGIN", "ROLLBACK"})
# Cursors and savepoints have names that drivers make up, each another.
_NAMED: Final = re.compile(r'^((?:FETCH|MOVE|CLOSE|DECLARE|SAVEPOINT|RELEASE)\b[^"]*)"[^"]*"', re.IGNORECASE)
_OWN_SHOWN: Final = frozenset({"SELECT $1", "SELECT ?"})


class ReadText(Struct, frozen=True):
    """A server's text of a statement, and what is made of it; *own*: it is Dozor's, and left out."""

    text: str
    shown: str
    fingerprint: str
    operation: str
    own: bool


def read_text(text: str) -> ReadText:
    """What is made of a server's *text*. Utility statements stand there with their literals, passwords among them."""
    shown, operation = _NAMED.sub(r'\1"?"', redact(text, _DIALECT)), operation_of(text, None)
    own = MARK in text or operation in _OWN_OPERATIONS or shown in _OWN_SHOWN
    return ReadText(text, shown, fingerprint_of(shown, _DIALECT), operation, own)


class ServerStatements(StatementBook):
    """One database's statements as its server counts them. Filled by one thread at a time.

    After each reading, `take` says of which statements the text is wanted, and `settle` is to be called with what was found.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(_DIALECT, clock, "server")
        self._differences = StatementDifferences()
        self._known: dict[int, ReadText] = {}
        self._new: dict[int, Tally] = {}
        self._begun = False
        self._forgotten: tuple[object, int] | None = None

    def take(self, reading: StatementReading) -> Sequence[int]:
        """Note what has been called since the reading before; the `queryid`s of which the text is not known, the costliest first."""
        if not self._begun:  # what was before is not known
            self._begun, self.since = True, self._clock.monotonic()
        self._new.clear()
        for (query_id, _, _), tally in self._differences.take(reading):
            if query_id in self._new:
                self._new[query_id].merge(tally)
            else:
                self._new[query_id] = tally
        if len(self._known) > _MOST_KNOWN:
            present = {query_id for query_id, _, _ in reading.entries}
            self._known = {one: text for one, text in self._known.items() if one in present}
        unread = [query_id for query_id in self._new if query_id not in self._known]
        unread.sort(key=lambda query_id: -self._new[query_id].seconds)
        return unread[:MOST_TEXTS_AT_ONCE]

    def settle(self, texts: Mapping[int, ReadText]) -> None:
        """Put what was noted into the windows; *texts*, by `queryid`, are those that were wanted and found."""
        self._known.update(texts)
        now, at = self._clock.monotonic(), self._clock.timestamp()
        with self._lock:
            for query_id, tally in self._new.items():
                text = self._known.get(query_id)
                if text is None:
                    self._add(self.other, tally)
                elif not text.own:
                    self._add(self._statement(text.fingerprint, text.shown, text.operation, text.text, at), tally)
            self._settle(now, at)
        self._new.clear()

    def forgotten_since_first(self, times: int, reset: object) -> int:
        """How many of the *times* that the server made room were since the first reading after *reset*."""
        if self._forgotten is None or self._forgotten[0] != reset or times < self._forgotten[1]:
            self._forgotten = (reset, times)
        return times - self._forgotten[1]
