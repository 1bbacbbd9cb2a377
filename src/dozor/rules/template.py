"""The templates of Prometheus' annotations and labels: `{{ $labels.pool }} is at {{ $value | humanize }} %`.

What fails while a template is carried out becomes the text `<error expanding template: …>`, as in Prometheus: an alert
with a poor description is worth more than none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct, field

from dozor.rules.go_format import go_print
from dozor.rules.template_functions import FUNCTIONS, LAZY_FUNCTIONS, QueryResult, truth
from dozor.rules.template_syntax import (
    Action,
    Block,
    Call,
    Function,
    Group,
    Jump,
    Literal,
    Node,
    Operand,
    Pipe,
    TemplateError,
    Text,
    Tree,
    Variable,
    parse_template,
)

__all__ = ["Template", "TemplateContext", "TemplateError"]

_MOST_STEPS: Final = 20_000
_LONGEST_RESULT: Final = 65_536

RunQuery = Callable[[str], Sequence[QueryResult]]


def _no_query(_: str) -> Sequence[QueryResult]:
    raise ValueError("queries cannot be made here")


class TemplateContext(Struct, frozen=True):
    """What a template may speak of.

    Attributes:
        labels: the labels of the series that raised the alert.
        value: what the rule's expression gave for it.
        at: Unix seconds of the evaluation.
        query: answers the template function `query`; it may raise.
        external_url, external_labels: what there is to say of the monitor itself.
    """

    labels: Mapping[str, str]
    value: float
    at: float = 0.0
    query: RunQuery = _no_query
    external_url: str = ""
    external_labels: Mapping[str, str] = field(default_factory=dict)


class Template:
    """A parsed template. Immutable; the same text gives the same object while it is in use often.

    Raises:
        TemplateError: when made, for a text that is no template.
    """

    __slots__ = ("_tree", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._tree: Tree | None = _parsed(text) if "{{" in text else None

    @property
    def static(self) -> bool:
        """Whether the text is the same for every alert."""
        return self._tree is None

    def expand(self, context: TemplateContext) -> str:
        """The text for *context*. Never raises."""
        if self._tree is None:
            return self.text
        try:
            return _Expansion(self._tree, context).run()
        except RecursionError:
            return "<error expanding template: nested too deeply>"
        except Exception as error:  # noqa: BLE001 - whatever a template does, the alert it describes must go out
            return f"<error expanding template: {error}>"


@lru_cache(maxsize=512)
def _parsed(text: str) -> Tree:
    return parse_template(text)


class _Root(NamedTuple):
    """The data that the dot stands for at first."""

    Labels: Mapping[str, str]
    ExternalLabels: Mapping[str, str]
    ExternalURL: str
    Value: float


class _Break(Exception):  # noqa: N818 - control flow, not an error
    pass


class _Continue(Exception):  # noqa: N818
    pass


class _Expansion:
    """One run of one template."""

    def __init__(self, tree: Tree, context: TemplateContext) -> None:
        self._tree, self._context = tree, context
        self._root = _Root(context.labels, context.external_labels, context.external_url, context.value)
        self._out: list[str] = []
        self._length = 0
        self._steps = 0
        self._calls = 0
        self.external_url, self.at, self.query = context.external_url, context.at, context.query

    def run(self) -> str:
        variables: list[tuple[str, object]] = [
            ("$", self._root),
            ("$labels", self._root.Labels),
            ("$value", self._root.Value),
            ("$externalLabels", self._root.ExternalLabels),
            ("$externalURL", self._root.ExternalURL),
        ]
        self._walk(self._tree.nodes, self._root, variables)
        return "".join(self._out)

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > _LONGEST_RESULT:
            raise TemplateError(f"the result is longer than {_LONGEST_RESULT} characters")
        self._out.append(text)

    def _walk(self, nodes: Sequence[Node], dot: object, variables: list[tuple[str, object]]) -> None:
        for node in nodes:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise TemplateError("it takes too many steps")
            match node:
                case Text():
                    self._write(node.text)
                case Action():
                    value = self._pipe(node.pipe, dot, variables)
                    if not node.pipe.declares:
                        self._write(go_print(value))
                case Block():
                    self._block(node, dot, variables)
                case Call():
                    self._call(node, dot, variables)
                case Jump():
                    raise _Break if node.keyword == "break" else _Continue

    def _block(self, node: Block, dot: object, variables: list[tuple[str, object]]) -> None:
        mark = len(variables)
        if node.keyword == "range":
            self._range(node, dot, variables)
        else:
            value = self._pipe(node.pipe, dot, variables)
            inner = value if node.keyword == "with" and truth(value) else dot
            self._walk(node.body if truth(value) else node.otherwise, inner, variables)
        del variables[mark:]

    def _range(self, node: Block, dot: object, variables: list[tuple[str, object]]) -> None:
        names = node.pipe.declares
        value = self._pipe(Pipe(node.pipe.commands), dot, variables)
        items = list(_items(value))
        if not items:
            self._walk(node.otherwise, dot, variables)
        for key, item in items:
            mark = len(variables)
            for name, part in zip(names, (item,) if len(names) == 1 else (key, item), strict=False):
                self._bind(name, part, variables, assigns=node.pipe.assigns)
            try:
                self._walk(node.body, item, variables)
            except _Continue:
                pass
            except _Break:
                break
            finally:
                del variables[mark:]

    def _call(self, node: Call, dot: object, variables: list[tuple[str, object]]) -> None:
        value = self._pipe(node.pipe, dot, variables) if node.pipe else None
        self._calls += 1
        if self._calls > 50:
            raise TemplateError("templates call each other too deeply")
        self._walk(self._tree.defined[node.name], value, [("$", value)])
        self._calls -= 1

    def _pipe(self, pipe: Pipe, dot: object, variables: list[tuple[str, object]]) -> object:
        value: object = None
        for index, command in enumerate(pipe.commands):
            value = self._command(command, dot, variables, *((value,) if index else ()))
        for name in pipe.declares:
            self._bind(name, value, variables, assigns=pipe.assigns)
        return value

    def _bind(self, name: str, value: object, variables: list[tuple[str, object]], *, assigns: bool) -> None:
        if assigns:
            for index in range(len(variables) - 1, -1, -1):
                if variables[index][0] == name:
                    variables[index] = (name, value)
                    return
        variables.append((name, value))

    def _command(
        self, command: Sequence[Operand], dot: object, variables: list[tuple[str, object]], *piped: object
    ) -> object:
        first = command[0]
        if not isinstance(first, Function):
            return self._operand(first, dot, variables)
        if first.name in LAZY_FUNCTIONS:
            return self._lazy(first.name, command[1:], dot, variables, piped)
        arguments = [self._operand(operand, dot, variables) for operand in command[1:]]
        try:
            return FUNCTIONS[first.name](self, *arguments, *piped)
        except TypeError as error:
            # Python's own complaint about the number of arguments speaks of functions that no user knows.
            known = "positional argument" not in str(error)
            raise TemplateError(f"{first.name}: {error if known else 'wrong number of arguments'}") from None
        except (ValueError, OverflowError) as error:
            raise TemplateError(f"{first.name}: {error}") from None

    def _lazy(
        self,
        name: str,
        operands: Sequence[Operand],
        dot: object,
        variables: list[tuple[str, object]],
        piped: tuple[object, ...],
    ) -> object:
        values: Iterator[object] = (self._operand(operand, dot, variables) for operand in operands)
        value: object = None
        seen = False
        for value in (*values, *piped) if piped else values:
            seen = True
            if truth(value) is (name == "or"):
                break
        if not seen:
            raise TemplateError(f"{name}: wrong number of arguments")
        return value

    def _operand(self, operand: Operand, dot: object, variables: list[tuple[str, object]]) -> object:
        match operand:
            case Literal():
                return operand.value
            case Variable():
                value = dot if operand.name == "." else self._variable(operand.name, variables)
                return _fields(value, operand.fields)
            case Group():
                return _fields(self._pipe(operand.pipe, dot, variables), operand.fields)
            case Function():
                return self._command((operand,), dot, variables)

    def _variable(self, name: str, variables: list[tuple[str, object]]) -> object:
        for known, value in reversed(variables):
            if known == name:
                return value
        raise TemplateError(f"undefined variable {name}")


def _fields(value: object, names: Sequence[str]) -> object:
    for name in names:
        if isinstance(value, Mapping):
            value = value.get(name, "")
        elif isinstance(value, _Root) and name in value._fields:
            value = getattr(value, name)
        elif isinstance(value, QueryResult) and name in ("Labels", "Value"):
            value = value.labels if name == "Labels" else value.value
        else:
            raise TemplateError(f"there is no field {name} in {go_print(value)[:60]}")
    return value


def _items(value: object) -> Iterator[tuple[object, object]]:
    match value:
        case None:
            return iter(())
        case Mapping():
            return iter([(key, value[key]) for key in sorted(value)])
        case bool() | str() | float() | _Root():
            raise TemplateError(f"range cannot go over {go_print(value)[:60]}")
        case int():
            return iter([(index, index) for index in range(min(value, _MOST_STEPS))])
        case Sequence():
            return iter(list(enumerate(value)))
    raise TemplateError(f"range cannot go over {go_print(value)[:60]}")
