"""Letting the application's threads have the interpreter while Dozor's compute."""

from dozor.turns import TURN_SECONDS, Turns


class Thread:
    """The time that passes, that of it in which a thread has computed, and how long it has slept."""

    def __init__(self) -> None:
        self.now, self.computed, self.slept, self.asked = 100.0, 3.0, list[float](), 0

    def passes(self, turns: float, *, computing: float = 1.0) -> None:
        self.now += turns * TURN_SECONDS
        self.computed += turns * TURN_SECONDS * computing

    def turns(self) -> Turns:
        def computed() -> float:
            self.asked += 1
            return self.computed

        return Turns(lambda: self.now, computed, self.slept.append)


def test_who_has_computed_for_a_turn_sleeps_once() -> None:
    thread = Thread()
    turns = thread.turns()
    turns()
    thread.passes(0.5)
    turns()
    assert thread.slept == []
    thread.passes(1)
    turns()
    turns()
    assert len(thread.slept) == 1
    assert 0 < thread.slept[0] < TURN_SECONDS
    thread.passes(1.01)
    turns()
    assert len(thread.slept) == 2


def test_who_has_waited_has_let_others_have_their_turn() -> None:
    thread = Thread()
    turns = thread.turns()
    turns()
    for _ in range(9):
        thread.passes(2, computing=0.05)
        turns()
    assert thread.slept == []
    thread.passes(0.11)
    turns()
    assert len(thread.slept) == 1


def test_the_kernel_is_not_asked_before_a_turn_can_be_over() -> None:
    thread = Thread()
    turns = thread.turns()
    turns()
    for _ in range(9):
        thread.passes(0.1)
        turns()
    assert thread.asked == 1
