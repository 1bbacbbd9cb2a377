"""Silences by matchers: made, changed and ended by people, begun and ended by time, applied to the alerts that they match."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dozor.alerts.book import AlertBook
from dozor.alerts.transitions import Event, Happening
from dozor.containment import contained
from dozor.errors import ActionForbidden, ConfigurationError, SilenceNotFound
from dozor.model.alert import Alert, Severity
from dozor.model.notification import AuditEntry
from dozor.model.silence import Silence, SilenceState
from dozor.store.matchers import Matcher, match_all, parse_matcher

SHOWN_SECONDS: Final = 86_400.0
"""How long a silence is remembered here after its end; the database keeps it for longer."""
TIME_OVER: Final = "its time was over"
ALERTS_ENDED: Final = "the alerts that it silenced have ended"


def parse_matchers(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """The matchers of a silence.

    Raises:
        ConfigurationError: (key `matchers`) one is none, there are none, or they would match every alert.
    """
    if not texts:
        raise ConfigurationError('a silence needs at least one matcher, such as severity="warning"', key="matchers")
    try:
        matchers = tuple(dict.fromkeys(parse_matcher(text) for text in texts))
    except ValueError as error:
        raise ConfigurationError(str(error), key="matchers") from None
    if all(matcher.matches_empty for matcher in matchers):
        raise ConfigurationError(
            "together they would silence alerts that have none of these labels; give at least one matcher that does not"
            ' match an empty value, such as alertname=~".+" for every alert',
            key="matchers",
        )
    return matchers


class Wanted(Struct, frozen=True):
    """What a person asks of a silence. Times are in Unix seconds.

    Attributes:
        starts_at: None: now, or, of one that is there already, when it began or was to begin.
        ends_at: None: until what it has silenced has ended.
        by, comment: who, and why.
    """

    matchers: Sequence[str]
    starts_at: float | None
    ends_at: float | None
    by: str | None
    comment: str | None


@dataclass(slots=True, eq=False)
class _Kept:
    silence: Silence
    matchers: tuple[Matcher, ...]


class Silencing:
    """The silences, and which alerts they silence. What changes goes into the book's journal."""

    def __init__(self, book: AlertBook, new_id: Callable[[], str]) -> None:
        self._book, self._new_id = book, new_id
        self._kept: dict[str, _Kept] = {}
        self._active: tuple[_Kept, ...] = ()
        self._judged: dict[str, Severity] = {}
        """The alerts to which the active silences were applied, and with which severity."""
        self._applied: dict[str, tuple[Matcher, ...]] = {}
        """The silences that were applied to them, by id."""
        self._stale = False
        """Whether the active silences must be found, and applied, anew."""

    def restore(self, silences: Iterable[Silence]) -> None:
        """Go on with *silences* as they were kept; one that is known here already is newer."""
        for silence in silences:
            if silence.id not in self._kept:
                with contained(
                    "alerts.silences"
                ):  # one that cannot be read any more must not keep all else from people
                    matchers = tuple(parse_matcher(text) for text in silence.matchers)
                    self._kept[silence.id] = _Kept(silence, matchers)
        self._stale = True

    def all(self) -> list[Silence]:
        """All that are remembered, the newest first."""
        silences = [kept.silence for kept in self._kept.values()]
        return sorted(silences, key=lambda silence: (silence.created_at, silence.id), reverse=True)

    def get(self, silence_id: str) -> Silence:
        """The silence of this id. Raises `SilenceNotFound`."""
        return self._find(silence_id).silence

    def create(self, at: float, wanted: Wanted) -> Silence:
        """A new silence. Raises `ConfigurationError`."""
        parsed = parse_matchers(wanted.matchers)
        begins = at if wanted.starts_at is None else max(_time(wanted.starts_at, "starts_at"), at)
        _check_end(begins, wanted.ends_at, at)
        silence = Silence(
            id=self._new_id(),
            matchers=tuple(map(str, parsed)),
            starts_at=begins,
            ends_at=wanted.ends_at,
            created_at=at,
            updated_at=at,
            by=wanted.by,
            comment=wanted.comment,
        )
        kept = self._kept[silence.id] = _Kept(silence, parsed)
        self._write(kept, silence, AuditEntry(silence.id, at, "silence created", wanted.by, wanted.comment))
        return silence

    def update(self, silence_id: str, at: float, wanted: Wanted) -> Silence:
        """The silence as it is now to be. Raises `SilenceNotFound`, `ActionForbidden`, `ConfigurationError`."""
        kept = self._unexpired(silence_id, at, "change")
        before, parsed = kept.silence, parse_matchers(wanted.matchers)
        begins = before.starts_at if wanted.starts_at is None else _time(wanted.starts_at, "starts_at")
        if begins <= at:
            begins = min(before.starts_at, at)  # it began when it began; the past is not rewritten
        _check_end(begins, wanted.ends_at, at)
        texts = tuple(map(str, parsed))
        changed = replace(
            before,
            matchers=texts,
            starts_at=begins,
            ends_at=wanted.ends_at,
            updated_at=at,
            by=before.by if wanted.by is None else wanted.by,
            comment=before.comment if wanted.comment is None else wanted.comment,
            matched=before.matched and texts == before.matchers,
        )
        kept.matchers = parsed
        self._write(kept, changed, AuditEntry(silence_id, at, "silence changed", wanted.by, wanted.comment))
        return changed

    def end(self, silence_id: str, at: float, by: str | None, comment: str | None) -> Silence:
        """The silence, ended now. Raises `SilenceNotFound`, `ActionForbidden`."""
        kept = self._unexpired(silence_id, at, "end")
        self._end(kept, at, AuditEntry(silence_id, at, "silence ended", by, comment))
        return kept.silence

    def apply(self, at: float, acted: str | None = None, by: str | None = None) -> None:
        """Let time begin and end silences, and have each open alert silenced by those that match it now.

        *by* has just made, changed or ended the silence of the id *acted*.
        """
        if not self._kept and not self._stale:
            return
        self._pass_time(at)
        active = tuple(kept for kept in self._kept.values() if kept.silence.state(at) is SilenceState.ACTIVE)
        if active != self._active:
            self._active, self._stale = active, True
        if not active and not self._stale:
            return
        self._mark_matched(self._silence(at, acted, by), at)
        self._stale = False

    def _silence(self, at: float, acted: str | None, by: str | None) -> set[str]:
        """Apply the active silences; the ids of those that match anything."""
        matching: set[str] = set()
        judged: dict[str, Severity] = {}
        changed = [kept for kept in self._active if self._applied.get(kept.silence.id) is not kept.matchers]
        for track, tracked in self._book.open():
            alert = tracked.alert
            judged[alert.id] = alert.severity
            names = alert.silenced_by
            known = self._judged.get(alert.id) is alert.severity
            if self._stale or not known:
                names = self._silences_of(alert, changed if known else self._active)
                if names != alert.silenced_by:
                    why = self._words(names or alert.silenced_by)
                    who = by if acted in set(names).symmetric_difference(alert.silenced_by) else None
                    self._book.apply(track, tracked, Happening(Event.SILENCES, at, names=names, by=who, comment=why))
            matching.update(names)
        self._judged = judged
        self._applied = {kept.silence.id: kept.matchers for kept in self._active}
        return matching

    def _silences_of(self, alert: Alert, unsure: Sequence[_Kept]) -> tuple[str, ...]:
        """Those that match *alert*, which must be tried for *unsure* only: of the others the alert tells by itself."""
        matching = set(alert.silenced_by).difference(kept.silence.id for kept in unsure)
        if unsure:
            labels = alert.matching_labels
            matching.update(kept.silence.id for kept in unsure if match_all(kept.matchers, labels))
        return tuple(kept.silence.id for kept in self._active if kept.silence.id in matching) if matching else ()

    def _mark_matched(self, matching: set[str], at: float) -> None:
        for kept in self._active:
            silence = kept.silence
            if silence.id in matching:
                if not silence.matched:
                    kept.silence = replace(silence, matched=True)
                    self._book.journal.keep_silence(kept.silence)
            elif silence.matched and silence.ends_at is None:
                self._end(kept, at, AuditEntry(silence.id, at, "silence ended", comment=ALERTS_ENDED))

    def _pass_time(self, at: float) -> None:
        for silence_id, kept in list(self._kept.items()):
            silence = kept.silence
            if silence.ended_at is None and silence.ends_at is not None and silence.ends_at <= at:
                self._end(kept, silence.ends_at, AuditEntry(silence_id, at, "silence ended", comment=TIME_OVER))
            elif silence.ended_at is not None and at - silence.ended_at > SHOWN_SECONDS:
                del self._kept[silence_id]

    def _end(self, kept: _Kept, ended_at: float, entry: AuditEntry) -> None:
        self._write(kept, replace(kept.silence, ended_at=ended_at, updated_at=entry.at), entry)

    def _write(self, kept: _Kept, silence: Silence, entry: AuditEntry) -> None:
        kept.silence, self._stale = silence, True
        self._book.journal.keep_silence(silence)
        self._book.journal.note(entry)

    def _words(self, ids: Iterable[str]) -> str:
        """Which silences, whose, and why, for the audit trail of an alert."""
        return "; ".join(_words(self._kept[each].silence) if each in self._kept else f"silence {each}" for each in ids)

    def _unexpired(self, silence_id: str, at: float, action: str) -> _Kept:
        kept = self._find(silence_id)
        if kept.silence.state(at) is SilenceState.EXPIRED:
            raise ActionForbidden(action, silence_id, SilenceState.EXPIRED.value, what="silence")
        return kept

    def _find(self, silence_id: str) -> _Kept:
        kept = self._kept.get(silence_id)
        if kept is None:
            raise SilenceNotFound(silence_id)
        return kept


def _words(silence: Silence) -> str:
    words = f"silence {silence.id} of {silence.by}" if silence.by else f"silence {silence.id}"
    return f"{words}: {silence.comment}" if silence.comment else words


def _time(value: float, key: str) -> float:
    if not math.isfinite(value):
        raise ConfigurationError("this is no time", key=key)
    return value


def _check_end(begins: float, ends_at: float | None, at: float) -> None:
    if ends_at is None:
        return
    if _time(ends_at, "ends_at") <= at:
        raise ConfigurationError("the silence would already be over; give an end in the future", key="ends_at")
    if ends_at <= begins:
        raise ConfigurationError("the silence would end before it begins", key="ends_at")
