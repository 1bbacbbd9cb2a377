"""Work that makes many objects and drops them again, without setting off the garbage collector's long runs."""

import gc
import os
from collections.abc import Iterator

import pytest

from dozor.garbage import RARE, seldom_collected


@pytest.fixture(autouse=True)
def threshold() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield (700, 10, 10)
    gc.set_threshold(*before)


def full_collections() -> int:
    return int(gc.get_stats()[2]["collections"])


def many() -> list[list[int]]:
    return [[number] for number in range(RARE - 10_000)]


def test_what_is_dropped_again_sets_off_no_collection_of_everything(threshold: tuple[int, int, int]) -> None:
    gc.collect()
    before = full_collections()
    for _ in range(20):
        with seldom_collected():
            assert len(many()) == RARE - 10_000
    assert full_collections() == before
    for _ in range(20):
        many()
    assert full_collections() > before, "as it does otherwise"
    assert gc.get_threshold() == threshold


def test_it_may_be_nested_and_ends_with_an_error_too(threshold: tuple[int, int, int]) -> None:
    with pytest.raises(ZeroDivisionError), seldom_collected():  # noqa: PT012 - the nesting is what is tested
        with seldom_collected():
            assert gc.get_threshold()[0] == RARE
        assert gc.get_threshold()[0] == RARE
        raise ZeroDivisionError
    assert gc.get_threshold() == threshold


@pytest.mark.parametrize("own", [(0, 10, 10), (100_000, 10, 10)])
def test_an_application_that_collects_more_seldom_is_left_alone(own: tuple[int, int, int]) -> None:
    gc.set_threshold(*own)
    with seldom_collected():
        assert gc.get_threshold() == own
    assert gc.get_threshold() == own


def test_what_the_application_sets_meanwhile_stays() -> None:
    with seldom_collected():
        gc.set_threshold(1234, 5, 6)
    assert gc.get_threshold() == (1234, 5, 6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_the_child_of_a_fork_has_the_applications_threshold() -> None:
    with seldom_collected():
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.get_threshold() == (700, 10, 10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
