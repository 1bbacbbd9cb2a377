"""What requests that have ended had sent, until a query monitor takes it."""

import os
import threading

import pytest

from dozor.instruments import work_finished
from dozor.instruments.work_finished import FinishedWork, FinishedWorks


def test_alike_requests_are_counted_together_and_taken_once() -> None:
    finished = FinishedWorks()
    for _ in range(3):
        finished.add("GET /a", ["one", "two", "two"])
    finished.add("GET /b", ["one"], {"one": 12}, {"one": "shop.py:8 in list"})
    finished.add("GET /c", ["one"], {"one": 12}, {"one": None})
    assert finished.take() == {
        FinishedWork("GET /a", (("one", 1), ("two", 2)), ()): 3,
        FinishedWork("GET /b", (("one", 12),), (("one", "shop.py:8 in list"),)): 1,
        FinishedWork("GET /c", (("one", 12),), (("one", None),)): 1,
    }
    assert not finished.take()
    assert len(finished) == 0


def test_what_finds_no_room_is_left_out_and_the_rest_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_finished, "_MOST_KEPT", 12)
    finished = FinishedWorks()
    for number in range(10):
        finished.add(f"GET /{number}", ["one"])
    assert [work.name for work in finished.take()] == ["GET /0", "GET /1", "GET /2"]
    finished.add("GET /later", ["one"])
    assert [work.name for work in finished.take()] == ["GET /later"]


def test_threads_that_add_and_threads_that_take_lose_nothing() -> None:
    finished, taken, adding = FinishedWorks(), [0, 0], threading.Event()

    def take(number: int) -> None:
        while not adding.is_set() or len(finished):
            taken[number] += sum(finished.take().values())

    def add() -> None:
        for number in range(2000):
            finished.add("GET /", list(range(number % 4)))

    takers = [threading.Thread(target=take, args=(number,)) for number in range(2)]
    adders = [threading.Thread(target=add) for _ in range(4)]
    for thread in (*takers, *adders):
        thread.start()
    for thread in adders:
        thread.join()
    adding.set()
    for thread in takers:
        thread.join()
    assert sum(taken) == 8000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_what_ended_before_a_fork_is_the_parents() -> None:
    finished = FinishedWorks()
    finished.add("GET /", ["one"])
    with finished._lock:
        child = os.fork()
        if child == 0:
            os._exit(len(finished.take()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(finished.take()) == 1
