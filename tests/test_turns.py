"""Letting the application's threads have the interpreter while Dozor's compute."""

from dozor.turns import TURN_SECONDS, Turns


def test_who_has_computed_for_a_turn_sleeps_once() -> None:
    now, slept = [100.0], list[float]()
    turns = Turns(lambda: now[0], slept.append)
    turns()
    now[0] += TURN_SECONDS / 2
    turns()
    assert slept == []
    now[0] += TURN_SECONDS
    turns()
    turns()
    assert len(slept) == 1
    assert 0 < slept[0] < TURN_SECONDS
    now[0] += TURN_SECONDS
    turns()
    assert len(slept) == 2
