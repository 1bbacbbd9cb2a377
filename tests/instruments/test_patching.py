"""Methods replaced on one instance, and put back."""

from collections.abc import Callable
from itertools import permutations

import pytest

from dozor.instruments.patching import Patch, accepts, mentions


class Target:
    def greet(self) -> str:
        return "hello"


def put(target: Target, mark: str) -> Patch:
    patch = Patch(target)
    original = target.greet
    patch.put("greet", lambda: f"{original()}{mark}")
    return patch


def test_only_the_instance_is_touched() -> None:
    target, other = Target(), Target()
    patch = put(target, "!")
    assert (target.greet(), other.greet()) == ("hello!", "hello")
    patch.remove()
    assert target.greet() == "hello"
    assert vars(target) == {}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_patches_may_be_removed_in_any_order(order: tuple[int, ...]) -> None:
    target = Target()
    patches = [put(target, mark) for mark in "abc"]
    assert target.greet() == "helloabc"
    for index in order:
        patches[index].remove()
    assert vars(target) == {}


def test_what_was_on_the_instance_before_comes_back() -> None:
    target = Target()
    found: Callable[[], str] = lambda: "found"  # noqa: E731
    target.greet = found  # type: ignore[method-assign]
    patch = put(target, "!")
    patch.put("greet", lambda: "twice")
    patch.remove()
    assert vars(target) == {"greet": found}


def test_a_wrapper_of_somebody_else_stays() -> None:
    target = Target()
    patch = put(target, "!")
    below = target.greet
    target.greet = lambda: f"[{below()}]"  # type: ignore[method-assign]
    patch.remove()
    assert target.greet() == "[hello!]"


def test_what_a_function_takes_and_uses() -> None:
    assert accepts(lambda a, b=1: None, 1)
    assert not accepts(lambda a: None, 2)
    assert not accepts(None, 0)
    assert mentions(Target.greet, "nothing") is False
    assert mentions(lambda target: target.greet(), "greet")
    assert not mentions(None, "greet")
