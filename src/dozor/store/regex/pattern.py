"""A compiled expression, matched the cheapest way that its shape allows."""

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Final

from dozor.store.regex.automaton import Captures, StateMachine, capture
from dozor.store.regex.program import Check, assemble
from dozor.store.regex.syntax import Characters, Choice, Group, Node, Repeat, Sequence, parse

_MAX_LITERALS: Final = 1000


class Pattern:
    """A regular expression, anchored at both ends. `literals` holds all texts that match, where they can be listed.

    `matches` says whether a text matches as a whole. Safe in any thread.
    """

    __slots__ = ("_expression", "_program", "literals", "matches")

    matches: Callable[[str], bool]

    def __init__(self, pattern: str) -> None:
        self._expression = parse(pattern)
        self._program = assemble(self._expression)
        texts = _texts(self._expression.node)
        self.literals = None if texts is None else frozenset(texts)
        self.matches = self._test()

    def capture(self, text: str) -> Captures | None:
        """Where the groups of a match of the whole *text* lie: begin and end of group 0, of group 1, …; -1 for absent."""
        return capture(self._program, self._expression.groups, text)

    def expand(self, template: str, text: str, captures: Captures) -> str:
        """*template* with `$1`, `${1}`, `$name` and `${name}` replaced by what the groups captured of *text*, as Go does it."""
        parts, at = [], 0
        while (dollar := template.find("$", at)) >= 0:
            parts.append(template[at:dollar])
            if template.startswith("$$", dollar):
                parts.append("$")
                at = dollar + 2
                continue
            name, at = _reference(template, dollar + 1)
            parts.append("$" if name is None else self._group(name, text, captures))
        return "".join([*parts, template[at:]])

    def _group(self, name: str, text: str, captures: Captures) -> str:
        index = int(name) if name.isdigit() else self._expression.names.get(name, -1)
        if not 0 <= index <= self._expression.groups or captures[2 * index] < 0:
            return ""
        return text[captures[2 * index] : captures[2 * index + 1]]

    def _test(self) -> Callable[[str], bool]:
        if self.literals is not None:
            return self.literals.__contains__
        simple = _simple_test(self._expression.node)
        if simple is not None:
            return simple
        if any(isinstance(instruction, Check) for instruction in self._program):
            return lambda text: self.capture(text) is not None
        return StateMachine(self._program).matches


@lru_cache(maxsize=4096)
def compile_anchored(pattern: str) -> Pattern:
    """*pattern*, compiled. Raises ValueError where it is malformed, too long or too large."""
    return Pattern(pattern)


def _texts(node: Node) -> list[str] | None:
    """All texts that *node* matches, None where they are too many to list."""
    match node:
        case Characters(literal=str() as literal):
            return [literal]
        case Group():
            return _texts(node.node)
        case Choice():
            found = [_texts(option) for option in node.options]
            texts = [text for part in found if part is not None for text in part]
            return None if None in found or len(texts) > _MAX_LITERALS else texts
        case Sequence():
            return _joined(node.parts)
        case _:
            return None


def _joined(parts: tuple[Node, ...]) -> list[str] | None:
    texts = [""]
    for part in parts:
        found = _texts(part)
        if found is None or len(texts) * len(found) > _MAX_LITERALS:
            return None
        texts = ["".join(pair) for pair in product(texts, found)]
    return texts


def _simple_test(node: Node) -> Callable[[str], bool] | None:
    """A string method that does for `.*`, `.+`, `text.*`, `.*text` and `.*text.*`."""
    if isinstance(node, Group):
        return _simple_test(node.node)
    parts = list(node.parts) if isinstance(node, Sequence) else [node]
    if len(parts) == 1 and isinstance(parts[0], Repeat) and _is_dot(parts[0].node) and parts[0].most is None:
        least = parts[0].least
        return lambda text: len(text) >= least
    leading = bool(parts) and _is_dot_star(parts[0])
    trailing = len(parts) > 1 and _is_dot_star(parts[-1])
    texts = _joined(tuple(parts[leading : len(parts) - trailing]))
    if texts is None or len(texts) != 1 or not (leading or trailing):
        return None
    (fixed,) = texts
    if leading and trailing:
        return lambda text: fixed in text
    return (lambda text: text.endswith(fixed)) if leading else (lambda text: text.startswith(fixed))


def _is_dot(node: Node) -> bool:
    return isinstance(node, Characters) and node.any


def _is_dot_star(node: Node) -> bool:
    return isinstance(node, Repeat) and node.least == 0 and node.most is None and _is_dot(node.node)


def _reference(template: str, at: int) -> tuple[str | None, int]:
    """The name after a dollar sign at *at* and where it ends; None where what follows is no name."""
    if template.startswith("{", at):
        end = template.find("}", at)
        name = template[at + 1 : end] if end > 0 else ""
        return (name, end + 1) if _is_name(name) else (None, at)
    end = at
    while end < len(template) and _is_name(template[end]):
        end += 1
    return (template[at:end], end) if end > at else (None, at)


def _is_name(text: str) -> bool:
    return bool(text) and all(character == "_" or character.isalnum() for character in text)
