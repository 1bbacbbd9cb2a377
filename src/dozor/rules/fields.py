"""Typed readings of YAML nodes; what is not as it should be becomes a `RuleError` with file, line and key."""

from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from dozor.duration import parse_duration
from dozor.errors import RuleError, nearest
from dozor.rules.yaml_tree import Mapping, Node, Scalar
from dozor.rules.yaml_tree import Sequence as YamlSequence

T = TypeVar("T")


class Field:
    """A node (None: it is not there) at *path* in *file*."""

    __slots__ = ("file", "line", "node", "path")

    def __init__(self, node: Node | None, path: str, file: str | None, line: int | None = None) -> None:
        self.node = None if isinstance(node, Scalar) and node.null else node
        self.path, self.file = path, file
        self.line = line if node is None else node.line or None

    def __bool__(self) -> bool:
        return self.node is not None

    def fail(self, message: str) -> NoReturn:
        """Raise a `RuleError` that points here."""
        raise RuleError(message, file=self.file, line=self.line, key=self.path or None)

    def checked(self, convert: Callable[[str], T], *errors: type[Exception]) -> T:
        """The text, converted; one of *errors* becomes a `RuleError`."""
        try:
            return convert(self.text())
        except errors as error:
            self.fail(str(error))

    def text(self) -> str:
        """The text of a scalar; empty where there is nothing."""
        if self.node is None:
            return ""
        if not isinstance(self.node, Scalar):
            self.fail(f"expected text, found {_kind(self.node)}")
        return self.node.text

    def seconds(self) -> float | None:
        """The seconds of a duration; None where there is nothing."""
        return self.checked(parse_duration, ValueError) if self.text() else None

    def count(self) -> int:
        """A whole number from 0; 0 where there is nothing."""
        text = self.text()
        if text and not (text.isascii() and text.isdigit() and len(text) <= 9):
            self.fail(f"expected a whole number from 0, found {text[:60]!r}")
        return int(text or 0)

    def items(self) -> list["Field"]:
        """The elements of a list; none where there is nothing."""
        if self.node is None:
            return []
        if not isinstance(self.node, YamlSequence):
            self.fail(f"expected a list, found {_kind(self.node)}")
        return [Field(node, f"{self.path}[{index}]", self.file) for index, node in enumerate(self.node.items)]

    def mapping(self) -> dict[str, "Field"]:
        """The values of a mapping by key; none where there is nothing."""
        if self.node is None:
            return {}
        if not isinstance(self.node, Mapping):
            self.fail(f"expected keys and values, found {_kind(self.node)}")
        return {key.text: Field(value, self._below(key.text), self.file, key.line) for key, value in self.node.items}

    def record(self, keys: Sequence[str]) -> "Record":
        """A mapping that may have no other than these *keys*."""
        if self.node is None:
            self.fail(f"expected keys and values ({', '.join(keys)}), found nothing")
        found = self.mapping()
        assert isinstance(self.node, Mapping)
        for key, _ in self.node.items:
            if key.text not in keys:
                close = nearest(key.text, keys, likeness=0.7)
                hint = f"did you mean {close!r}?" if close else f"there are {', '.join(keys)}"
                Field(key, self._below(key.text), self.file).fail(f"unknown key {key.text[:60]!r}; {hint}")
        return Record(self, found)

    def _below(self, key: str) -> str:
        return f"{self.path}.{key[:60]}" if self.path else key[:60]


class Record:
    """The fields of a mapping; one that is not written is empty and points at the mapping."""

    __slots__ = ("_fields", "whole")

    def __init__(self, whole: Field, fields: dict[str, Field]) -> None:
        self.whole, self._fields = whole, fields

    def __getitem__(self, key: str) -> Field:
        found = self._fields.get(key)
        path = f"{self.whole.path}.{key}" if self.whole.path else key
        return found if found is not None else Field(None, path, self.whole.file, self.whole.line)


def scalar_mapping(items: Iterable[tuple[str, str]]) -> Mapping:
    """A mapping of texts that stands in no file."""
    return Mapping(0, [(Scalar(0, key, null=False), Scalar(0, text, null=False)) for key, text in items])


def _kind(node: Node) -> str:
    match node:
        case Scalar():
            return f"text ({node.text[:40]!r})"
        case YamlSequence():
            return "a list"
        case Mapping():
            return "a mapping"
