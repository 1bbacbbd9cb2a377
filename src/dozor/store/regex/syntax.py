"""Parses RE2's syntax into a tree. What RE2 refuses (look-around, back-references) is refused here."""

from typing import Final

from msgspec import Struct

from dozor.store.regex.characters import (
    ESCAPED_CLASSES,
    POSIX_CLASSES,
    CharacterSet,
    any_of,
    but_newline,
    everything,
    fold,
    inverse,
    single,
    span,
    unicode_class,
)

MAX_LENGTH: Final = 4096
_MAX_DEPTH: Final = 100
_MAX_REPEAT: Final = 1000
_CONTROLS: Final = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}


class Characters(Struct, frozen=True):
    """One character out of a set. *literal* is the character where it can only be that one."""

    accepts: CharacterSet
    literal: str | None = None
    any: bool = False


class Sequence(Struct, frozen=True):
    """All of *parts*, one after the other; with none of them, the empty text."""

    parts: tuple["Node", ...]


class Choice(Struct, frozen=True):
    """One of *options*, earlier ones preferred."""

    options: tuple["Node", ...]


class Repeat(Struct, frozen=True):
    """*node* from *least* to *most* times (None: without end); fewer preferred where *lazy*."""

    node: "Node"
    least: int
    most: int | None
    lazy: bool


class Group(Struct, frozen=True):
    """*node*, whose text is captured under *index*."""

    node: "Node"
    index: int


class Assertion(Struct, frozen=True):
    """A place rather than a character: `start`, `end`, `line start`, `line end`, `boundary`, `no boundary`."""

    kind: str


Node = Characters | Sequence | Choice | Repeat | Group | Assertion


class Expression(Struct, frozen=True):
    """A parsed expression. *groups* counts captures; *names* says which of them have names."""

    node: Node
    groups: int
    names: dict[str, int]


def parse(pattern: str) -> Expression:
    """The tree of *pattern*. Raises ValueError with the place where it is wrong."""
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"a regular expression may have {MAX_LENGTH} characters, this one has {len(pattern)}")
    parser = _Parser(pattern)
    node = parser.choice()
    if parser.at < len(pattern):
        raise parser.error("unexpected )")
    return Expression(node, parser.groups, parser.names)


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern, self.at, self.depth = pattern, 0, 0
        self.groups = 0
        self.names: dict[str, int] = {}
        self.flags = frozenset("s")

    def error(self, message: str) -> ValueError:
        return ValueError(f"invalid regular expression {self.pattern!r}: {message} at position {self.at}")

    def peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def take(self) -> str:
        if self.at >= len(self.pattern):
            raise self.error("it ends too early")
        self.at += 1
        return self.pattern[self.at - 1]

    def until(self, stop: str) -> str:
        end = self.pattern.find(stop, self.at)
        if end < 0:
            raise self.error(f"missing {stop}")
        text, self.at = self.pattern[self.at : end], end + len(stop)
        return text

    def choice(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"nested deeper than {_MAX_DEPTH}")
        options = [self.sequence()]
        while self.peek("|"):
            self.at += 1
            options.append(self.sequence())
        self.depth -= 1
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            if self.peek("\\Q"):
                parts.extend(self.quoted())
                continue
            atom = self.atom()
            if atom is not None:
                parts.append(self.repeated(atom))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def quoted(self) -> list[Characters]:
        begin = self.at + 2
        end = self.pattern.find("\\E", begin)
        stop = len(self.pattern) if end < 0 else end
        self.at = min(stop + 2, len(self.pattern))
        return [self.literal(character) for character in self.pattern[begin:stop]]

    def literal(self, character: str) -> Characters:
        if "i" in self.flags and character.swapcase() != character:
            return Characters(fold(single(character)))
        return Characters(single(character), character)

    def characters(self, accepts: CharacterSet) -> Characters:
        return Characters(fold(accepts) if "i" in self.flags else accepts)

    def repeated(self, atom: Node) -> Node:
        repeats = 0
        while (bounds := self.bounds()) is not None:
            lazy = self.peek("?")
            self.at += lazy
            repeats += 1
            if repeats > 1:
                raise self.error("nothing to repeat")
            atom = Repeat(atom, *bounds, lazy != ("U" in self.flags))
        return atom

    def bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.peek(sign):
                self.at += 1
                return bounds
        if not self.peek("{"):
            return None
        end = self.pattern.find("}", self.at)
        low, comma, high = self.pattern[self.at + 1 : max(end, self.at + 1)].partition(",")
        if end < 0 or not _is_number(low) or (high and not _is_number(high)):
            return None  # an ordinary brace
        self.at = end + 1
        least = int(low)
        most = least if not comma else int(high) if high else None
        if max(least, most or 0) > _MAX_REPEAT or (most is not None and most < least):
            raise self.error(f"a repeat count must rise and be at most {_MAX_REPEAT}")
        return least, most

    def atom(self) -> Node | None:
        character = self.take()
        match character:
            case "(":
                return self.group()
            case "[":
                return self.bracket()
            case "\\":
                return self.escape()
            case "." | "^" | "$":
                return self.sign(character)
            case "*" | "+" | "?":
                raise self.error("nothing to repeat")
        return self.literal(character)

    def sign(self, character: str) -> Node:
        if character == ".":
            dot_all = "s" in self.flags
            return Characters(everything if dot_all else but_newline, any=dot_all)
        place = "start" if character == "^" else "end"
        return Assertion(f"line {place}" if "m" in self.flags else place)

    def group(self) -> Node | None:
        outer = self.flags
        index = None
        if self.peek("?"):
            self.at += 1
            name = self.group_name()
            if name is not None:
                index = self.new_group(name)
            elif not self.group_flags():
                return None
        else:
            index = self.new_group(None)
        node = self.choice()
        if not self.peek(")"):
            raise self.error("missing )")
        self.at += 1
        self.flags = outer
        return node if index is None else Group(node, index)

    def group_name(self) -> str | None:
        for opening in ("P<", "<"):
            if self.peek(opening) and not self.peek("<=") and not self.peek("<!"):
                self.at += len(opening)
                name = self.until(">")
                if not name.isidentifier() or name in self.names:
                    raise self.error(f"invalid group name {name!r}")
                return name
        return None

    def new_group(self, name: str | None) -> int:
        self.groups += 1
        if name is not None:
            self.names[name] = self.groups
        return self.groups

    def group_flags(self) -> bool:
        """Read `i-s:` or `i-s)`; whether a group follows. Flags set without a group hold to the end of the enclosing one."""
        flags, on = set(self.flags), True
        while (character := self.take()) not in ":)":
            if character == "-" and on:
                on = False
            elif character in "imsU":
                (flags.add if on else flags.discard)(character)
            else:
                raise self.error(f"unsupported group (?{character}")
        self.flags = frozenset(flags)
        return character == ":"

    def escape(self) -> Node:
        character = self.take()
        places = {"A": "start", "z": "end", "b": "boundary", "B": "no boundary"}
        if character in places:
            return Assertion(places[character])
        accepts = self.escaped_class(character)
        if accepts is not None:
            return self.characters(accepts)
        return self.literal(self.escaped_character(character))

    def escaped_class(self, character: str) -> CharacterSet | None:
        if character in ESCAPED_CLASSES:
            return ESCAPED_CLASSES[character]
        if character not in "pP":
            return None
        name = self.take()
        if name == "{":
            name = self.until("}")
        negated = (character == "P") != name.startswith("^")
        accepts = unicode_class(name.removeprefix("^"))
        if accepts is None:
            raise self.error(f"unknown Unicode class {name!r}")
        return inverse(accepts) if negated else accepts

    def escaped_character(self, character: str) -> str:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character == "x":
            digits = self.until("}") if self.peek("{") and self.take() else self.take() + self.take()
            return self.code_point(digits, 16)
        if character in "01234567":
            digits = character
            while len(digits) < 3 and self.at < len(self.pattern) and self.pattern[self.at] in "01234567":
                digits += self.take()
            if character != "0" and len(digits) == 1:
                raise self.error("back-references are not supported")
            return self.code_point(digits, 8)
        if character.isascii() and not character.isalnum():
            return character
        raise self.error(f"unknown escape \\{character}")

    def code_point(self, digits: str, base: int) -> str:
        try:
            return chr(int(digits, base))
        except (ValueError, OverflowError):
            raise self.error(f"{digits!r} is no character") from None

    def bracket(self) -> Node:
        negated = self.peek("^")
        self.at += negated
        members: list[CharacterSet] = []
        while not self.peek("]") or not members:
            members.append(self.bracket_member())
        self.at += 1
        accepts = any_of(members)
        if "i" in self.flags:
            accepts = fold(accepts)
        return Characters(inverse(accepts) if negated else accepts)

    def bracket_member(self) -> CharacterSet:
        if self.peek("[:"):
            self.at += 2
            name = self.until(":]")
            accepts = POSIX_CLASSES.get(name.removeprefix("^"))
            if accepts is None:
                raise self.error(f"unknown class [:{name}:]")
            return inverse(accepts) if name.startswith("^") else accepts
        low = self.bracket_character()
        if not isinstance(low, str):
            return low
        if not self.peek("-") or self.peek("-]"):
            return single(low)
        self.at += 1
        high = self.bracket_character()
        if not isinstance(high, str) or high < low:
            raise self.error("a range must rise")
        return span(low, high)

    def bracket_character(self) -> str | CharacterSet:
        character = self.take()
        if character != "\\":
            return character
        escaped = self.take()
        accepts = self.escaped_class(escaped)
        return self.escaped_character(escaped) if accepts is None else accepts


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
