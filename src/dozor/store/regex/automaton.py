"""Runs instructions over a text, all possibilities at once: each character is looked at once."""

from collections.abc import Sequence
from typing import Final

from dozor.store.regex.characters import is_word
from dozor.store.regex.program import Check, Consume, Instruction, Jump, Match, Save, Split

_MAX_STATES: Final = 512

Places = frozenset[int]


class StateMachine:
    """Answers only whether a text matches. Remembers where each character leads, so that most texts cost one look-up each.

    For programs without `Check`, whose outcome depends on more than the character. Safe in any thread: what is remembered
    is only ever added, and thrown away as a whole.
    """

    def __init__(self, program: Sequence[Instruction]) -> None:
        self._program = program
        self._start = self._reach([0])
        self._steps: dict[Places, dict[str, Places]] = {}
        self._final = len(program) - 1

    def matches(self, text: str) -> bool:
        """Whether the whole of *text* matches."""
        places = self._start
        for character in text:
            if len(self._steps) > _MAX_STATES:
                self._steps = {}
            steps = self._steps.setdefault(places, {})
            reached = steps.get(character)
            if reached is None:
                reached = self._step(places, character)
                if len(steps) < _MAX_STATES:
                    steps[character] = reached
            if not reached:
                return False
            places = reached
        return self._final in places

    def _step(self, places: Places, character: str) -> Places:
        program = self._program
        taken = []
        for place in places:
            instruction = program[place]
            if isinstance(instruction, Consume) and instruction.accepts(character):
                taken.append(place + 1)
        return self._reach(taken)

    def _reach(self, places: list[int]) -> Places:
        """The consuming (or final) instructions that can be reached from *places* without a character."""
        program, seen, found = self._program, set(places), []
        while places:
            place = places.pop()
            instruction = program[place]
            match instruction:
                case Split(first, second):
                    following = [first, second]
                case Jump(target):
                    following = [target]
                case Save() | Check():
                    following = [place + 1]
                case Consume() | Match():
                    found.append(place)
                    continue
            for next_place in following:
                if next_place not in seen:
                    seen.add(next_place)
                    places.append(next_place)
        return frozenset(found)


Captures = tuple[int, ...]
"""Where each group begins and ends, -1 where it took no part."""


def capture(program: Sequence[Instruction], groups: int, text: str) -> Captures | None:
    """Match the whole of *text*, preferring as Perl does; None where it does not match. Time: text x program."""
    threads = _spread(program, text, 0, [(0, (-1,) * (2 * groups + 2))])
    for at, character in enumerate(text):
        taken = [
            (place + 1, captures)
            for place, captures in threads
            if isinstance(instruction := program[place], Consume) and instruction.accepts(character)
        ]
        threads = _spread(program, text, at + 1, taken)
        if not threads:
            return None
    for place, captures in threads:
        if isinstance(program[place], Match):
            return (0, len(text), *captures[2:])
    return None


def _spread(
    program: Sequence[Instruction], text: str, at: int, threads: list[tuple[int, Captures]]
) -> list[tuple[int, Captures]]:
    """Follow *threads* to where each needs a character, most preferred first, each place once."""
    seen: set[int] = set()
    arrived: list[tuple[int, Captures]] = []
    stack = threads[::-1]
    while stack:
        place, captures = stack.pop()
        if place in seen:
            continue
        seen.add(place)
        match program[place]:
            case Split(first, second):
                stack.append((second, captures))
                stack.append((first, captures))
            case Jump(target):
                stack.append((target, captures))
            case Save(slot):
                stack.append((place + 1, (*captures[:slot], at, *captures[slot + 1 :])))
            case Check(kind):
                if _is(kind, text, at):
                    stack.append((place + 1, captures))
            case Consume() | Match():
                arrived.append((place, captures))
    return arrived


def _is(kind: str, text: str, at: int) -> bool:
    match kind:
        case "start":
            return at == 0
        case "end":
            return at == len(text)
        case "line start":
            return at == 0 or text[at - 1] == "\n"
        case "line end":
            return at == len(text) or text[at] == "\n"
        case _:
            before = at > 0 and is_word(text[at - 1])
            after = at < len(text) and is_word(text[at])
            return (before != after) == (kind == "boundary")
