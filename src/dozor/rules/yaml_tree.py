"""YAML as a tree of nodes that know their line, so that every mistake in a rule file can be pointed at.

Scalars stay text: Prometheus reads `expr: 1` and `for: 0` as text too, so YAML's own idea of types is of no use. The tree
is built from the parser's events without recursion, within bounds, so that no file can exhaust the stack or, by
aliases of aliases, the memory.
"""

from dataclasses import dataclass
from typing import Any, Final

import yaml

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST: Final = 32
_MOST_NODES: Final = 1_000_000
_NULLS: Final = frozenset(["", "~", "null", "Null", "NULL"])


class YamlError(Exception):
    """The text is not YAML, or too much of it. *line* counts from 1."""

    def __init__(self, message: str, line: int | None) -> None:
        self.line = line
        super().__init__(message)


@dataclass(slots=True)
class Scalar:
    """A piece of text; *null* says that it was written as nothing, `~` or `null`."""

    line: int
    text: str
    null: bool
    size: int = 1


@dataclass(slots=True)
class Sequence:
    """A list."""

    line: int
    items: list["Node"]
    size: int = 1


@dataclass(slots=True)
class Mapping:
    """Key and value pairs in the order of the file, keys as their nodes. A merge key (`<<`) has been resolved."""

    line: int
    items: list[tuple[Scalar, "Node"]]
    size: int = 1


Node = Scalar | Sequence | Mapping


def parse_yaml(text: str) -> Node | None:
    """The one document in *text*, None for an empty one.

    Raises:
        YamlError: it is malformed, holds several documents, repeats a key, or is too deep or too large.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(f"not valid YAML: {error.problem or error.context}", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, UnicodeError):
        raise YamlError("not valid YAML: it holds a character that YAML does not allow", None) from None
    return builder.root


class _Builder:
    """Puts nodes together from parser events."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._documents = 0
        self._open: list[tuple[Sequence | Mapping, str | None]] = []
        self._keys: list[Scalar | None] = []
        self._anchors: dict[str, Node] = {}

    def take(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise YamlError("a second document begins; a rule file is one document", _line(event))
            case yaml.ScalarEvent():
                null = not event.style and event.value in _NULLS
                self._add(Scalar(_line(event), event.value, null), event.anchor)
            case yaml.AliasEvent():
                node = self._anchors.get(str(event.anchor))
                if node is None:
                    raise YamlError(
                        f"*{event.anchor} stands for nothing: there is no complete &{event.anchor}", _line(event)
                    )
                self._add(node, None)
            case yaml.SequenceStartEvent():
                self._begin(Sequence(_line(event), []), event.anchor)
            case yaml.MappingStartEvent():
                self._begin(Mapping(_line(event), []), event.anchor)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                node, anchor = self._open.pop()
                self._keys.pop()
                if isinstance(node, Mapping):
                    _merge(node)
                self._add(node, anchor)

    def _begin(self, node: Sequence | Mapping, anchor: str | None) -> None:
        if len(self._open) >= _DEEPEST:
            raise YamlError(f"nested more than {_DEEPEST} levels deep", node.line)
        self._open.append((node, anchor))
        self._keys.append(None)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        else:
            key = self._keys[-1]
            if key is None:
                if not isinstance(node, Scalar):
                    raise YamlError("a key must be plain text", node.line)
                self._keys[-1] = node
                return
            parent.items.append((key, node))
            self._keys[-1] = None
        # An alias counts as often as it is used: that is how often a reader of the tree will walk it.
        parent.size += node.size
        if parent.size > _MOST_NODES:
            raise YamlError(f"more than {_MOST_NODES} values", node.line)


def _merge(node: Mapping) -> None:
    """Put what `<<` names under *node*'s own keys, and refuse a key that stands twice."""
    own: dict[str, tuple[Scalar, Node]] = {}
    merged: dict[str, tuple[Scalar, Node]] = {}
    for key, value in node.items:
        if key.text == "<<":
            for source in value.items if isinstance(value, Sequence) else [value]:
                if not isinstance(source, Mapping):
                    raise YamlError("<< must name a mapping", key.line)
                for inner_key, inner in source.items:
                    merged.setdefault(inner_key.text, (inner_key, inner))
        elif key.text in own:
            raise YamlError(f"the key {key.text[:60]!r} stands twice", key.line)
        else:
            own[key.text] = (key, value)
    node.items = list((merged | own).values())


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
