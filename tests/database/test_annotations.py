"""Annotations, kept and read back: one suite for every database."""

from tests.database.records import START

from dozor.database import AnnotationFilter, Database
from dozor.model.annotation import Annotation
from dozor.model.notification import Changes

DEPLOY = Annotation("m1", START, "Deployed 1.2.3", ("deploy", "api"), "ci")
TEST = Annotation("m2", START + 60, "Load test", (), None)


def test_annotations_come_back_newest_first_and_once(store: Database) -> None:
    store.commit(Changes(annotations=(DEPLOY, TEST)), ())
    store.commit(Changes(annotations=(DEPLOY,)), ())
    assert store.annotations(AnnotationFilter()) == [TEST, DEPLOY]


def test_they_are_found_by_time_tag_and_place(store: Database) -> None:
    odd = Annotation("m3", START + 120, "Odd", ('a"b', "50%_\\"), None)
    store.commit(Changes(annotations=(DEPLOY, TEST, odd)), ())
    for wanted, found in (
        (AnnotationFilter(since=START + 60), [odd, TEST]),
        (AnnotationFilter(until=START + 60), [TEST, DEPLOY]),
        (AnnotationFilter(tag="deploy"), [DEPLOY]),
        (AnnotationFilter(tag="depl"), []),
        (AnnotationFilter(tag='a"b'), [odd]),
        (AnnotationFilter(tag="50%_\\"), [odd]),
        (AnnotationFilter(tag="%"), []),
        (AnnotationFilter(before=(START + 60, "m2")), [DEPLOY]),
        (AnnotationFilter(limit=1), [odd]),
    ):
        assert store.annotations(wanted) == found
        everything = (odd, TEST, DEPLOY)
        assert [one for one in everything if wanted.matches(one)][: wanted.limit] == found


def test_text_that_no_database_can_hold_is_repaired(store: Database) -> None:
    store.commit(Changes(annotations=(Annotation("m1", START, "nul \0, \ud800", ("\ud800",), "\0"),)), ())
    (found,) = store.annotations(AnnotationFilter())
    assert found.text.startswith("nul ")
    assert len(found.tags) == 1


def test_they_go_with_the_rest(store: Database) -> None:
    store.commit(Changes(annotations=(DEPLOY, TEST)), ())
    store.retention(START + 50 + 3600, keep_seconds=3600)
    assert store.annotations(AnnotationFilter()) == [TEST]
    store.retention(START + 100, keep_bytes=1)
    assert store.annotations(AnnotationFilter()) == []
