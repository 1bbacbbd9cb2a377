"""Silences by matchers, kept and read back: one suite for every database."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text
from tests.chaos import examples
from tests.database.records import START

from dozor.database import Database
from dozor.model.notification import AuditEntry, Changes
from dozor.model.silence import Silence

SILENCE = Silence("s1", ('pool="main"',), START, START + 3600, START, START, by="ann", comment="deploy")

_times = st.floats(min_value=0, max_value=4e9)
_texts = st.text(max_size=20)
silences = st.builds(
    Silence,
    id=st.uuids().map(str),
    matchers=st.lists(_texts, max_size=3).map(tuple),
    starts_at=_times,
    ends_at=st.none() | _times,
    created_at=_times,
    updated_at=_times,
    by=st.none() | _texts,
    comment=st.none() | _texts,
    matched=st.booleans(),
)


def keep(store: Database, *kept: Silence) -> None:
    store.commit(Changes(silences=kept), ())


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(silence=silences)
def test_any_silence_comes_back_as_it_was(store: Database, silence: Silence) -> None:
    keep(store, silence)
    assert silence in store.load_silences(0)


def test_text_that_no_database_can_hold_is_repaired(store: Database) -> None:
    keep(store, replace(SILENCE, comment="nul \0 and lone \ud800"))
    (found,) = store.load_silences(0)
    assert (found.comment or "").startswith("nul ")


def test_a_silence_replaces_the_one_of_its_id(store: Database) -> None:
    keep(store, SILENCE)
    changed = replace(SILENCE, ends_at=None, matched=True, updated_at=START + 5)
    keep(store, changed)
    assert store.load_silences(START) == [changed]


def test_those_that_ended_long_ago_are_not_read_back(store: Database) -> None:
    ended = replace(SILENCE, id="ended", ended_at=START + 10)
    keep(store, SILENCE, ended)
    assert store.load_silences(START + 10) == [ended, SILENCE]
    assert store.load_silences(START + 11) == [SILENCE]


def test_one_that_ran_out_while_nobody_was_there_is_read_back_however_long_that_was(store: Database) -> None:
    keep(store, SILENCE)
    assert store.load_silences(START + 1e8) == [SILENCE]


def test_what_happened_to_a_silence_is_told_in_order(store: Database) -> None:
    entries = (AuditEntry("s1", START, "silence created", "ann"), AuditEntry("s1", START + 9, "silence ended", "bob"))
    store.commit(Changes(silences=(SILENCE,), audit=entries), ())
    assert store.audit("s1") == list(entries)


def test_retention_forgets_the_ended_with_their_audit_and_keeps_the_others(store: Database) -> None:
    ended = replace(SILENCE, id="ended", ended_at=START)
    entries = tuple(AuditEntry(each, START, "silence created") for each in ("s1", "ended"))
    store.commit(Changes(silences=(SILENCE, ended), audit=entries), ())
    store.retention(START + 1000, keep_seconds=100)
    assert store.load_silences(0) == [SILENCE]
    assert [len(store.audit(each)) for each in ("s1", "ended")] == [1, 0]


def test_a_broken_record_hides_no_other(store: Database) -> None:
    keep(store, SILENCE, replace(SILENCE, id="torn"))
    with store._writing() as connection:
        connection.execute(text("UPDATE dozor_silences SET record = '{' WHERE id = 'torn'"))
    assert store.load_silences(0) == [SILENCE]
