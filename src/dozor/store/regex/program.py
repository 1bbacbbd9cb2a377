"""Compiles a tree to instructions for the automaton."""

from dataclasses import dataclass
from typing import Final

from dozor.store.regex.characters import CharacterSet
from dozor.store.regex.syntax import Assertion, Characters, Choice, Expression, Group, Node, Repeat, Sequence

MAX_INSTRUCTIONS: Final = 5000


@dataclass(slots=True)
class Consume:
    """Take one character that *accepts* holds, and go on with the next instruction."""

    accepts: CharacterSet


@dataclass(slots=True)
class Split:
    """Go on at both places; the match found from *first* is preferred."""

    first: int
    second: int


@dataclass(slots=True)
class Jump:
    """Go on at *target*."""

    target: int


@dataclass(slots=True)
class Save:
    """Remember the place in *slot*: 2n begins group n, 2n + 1 ends it."""

    slot: int


@dataclass(slots=True)
class Check:
    """Go on if the place is of this *kind* (see `Assertion`)."""

    kind: str


@dataclass(slots=True)
class Match:
    """The end."""


Instruction = Consume | Split | Jump | Save | Check | Match


def assemble(expression: Expression) -> list[Instruction]:
    """The instructions of *expression*. Raises ValueError where counted repeats make them too many."""
    assembler = _Assembler()
    assembler.emit(expression.node)
    assembler.add(Match())
    return assembler.program


class _Assembler:
    def __init__(self) -> None:
        self.program: list[Instruction] = []

    def add(self, instruction: Instruction) -> int:
        if len(self.program) >= MAX_INSTRUCTIONS:
            raise ValueError("the regular expression is too large: its repeats multiply")
        self.program.append(instruction)
        return len(self.program) - 1

    def emit(self, node: Node) -> None:
        match node:
            case Characters():
                self.add(Consume(node.accepts))
            case Sequence():
                for part in node.parts:
                    self.emit(part)
            case Choice():
                self.choice(node.options)
            case Repeat():
                self.repeat(node)
            case Group():
                self.add(Save(2 * node.index))
                self.emit(node.node)
                self.add(Save(2 * node.index + 1))
            case Assertion():
                self.add(Check(node.kind))

    def choice(self, options: tuple[Node, ...]) -> None:
        jumps = []
        for option in options[:-1]:
            split = Split(0, 0)
            split.first = self.add(split) + 1
            self.emit(option)
            jump = Jump(0)
            self.add(jump)
            jumps.append(jump)
            split.second = len(self.program)
        self.emit(options[-1])
        for jump in jumps:
            jump.target = len(self.program)

    def repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self.emit(node.node)
        if node.most is None:
            start = len(self.program)
            split = Split(0, 0)
            self.add(split)
            self.emit(node.node)
            self.add(Jump(start))
            self.aim(split, start + 1, len(self.program), lazy=node.lazy)
            return
        splits = []
        for _ in range(node.most - node.least):
            split = Split(0, 0)
            splits.append((split, self.add(split) + 1))
            self.emit(node.node)
        for split, inside in splits:
            self.aim(split, inside, len(self.program), lazy=node.lazy)

    @staticmethod
    def aim(split: Split, inside: int, outside: int, *, lazy: bool) -> None:
        split.first, split.second = (outside, inside) if lazy else (inside, outside)
