"""The syntax of Go's text templates, in which Prometheus' annotations and labels are written: text to tree.

Names of functions and variables are checked here, as Go does, so that a misspelt one is found when the rule is loaded.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from msgspec import Struct

from dozor.rules.template_functions import FUNCTIONS, LAZY_FUNCTIONS

_LONGEST: Final = 65_536
_DEEPEST: Final = 40
_KEYWORDS: Final = frozenset(["if", "else", "end", "range", "with", "define", "block", "template", "break", "continue"])
_PREDEFINED: Final = ("$", "$labels", "$value", "$externalLabels", "$externalURL")


class TemplateError(ValueError):
    """A template cannot be parsed, or cannot be carried out."""


class Literal(Struct, frozen=True):
    """A constant, `nil` included."""

    value: object


class Variable(Struct, frozen=True):
    """`$name.field.field`; the name `.` is the dot."""

    name: str
    fields: tuple[str, ...]


class Function(Struct, frozen=True):
    """A function's name, to be called with what follows it in its command."""

    name: str


class Group(Struct, frozen=True):
    """`(pipeline).field`."""

    pipe: "Pipe"
    fields: tuple[str, ...]


Operand = Literal | Variable | Function | Group


class Pipe(Struct, frozen=True):
    """Commands joined by `|`; *declares* are the variables before `:=`, or before `=` where *assigns*."""

    commands: tuple[tuple[Operand, ...], ...]
    declares: tuple[str, ...] = ()
    assigns: bool = False


class Text(Struct, frozen=True):
    """What stands outside the braces."""

    text: str


class Action(Struct, frozen=True):
    """`{{ pipeline }}`."""

    pipe: Pipe


class Block(Struct, frozen=True):
    """`if`, `with` and `range`, by *keyword*."""

    keyword: str
    pipe: Pipe
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]


class Call(Struct, frozen=True):
    """`{{ template "name" pipeline }}`."""

    name: str
    pipe: Pipe | None


class Jump(Struct, frozen=True):
    """`break` or `continue`."""

    keyword: str


Node = Text | Action | Block | Call | Jump


class Tree(Struct, frozen=True):
    """A parsed template and those it defines."""

    nodes: tuple[Node, ...]
    defined: dict[str, tuple[Node, ...]]


class _Token(Struct, frozen=True):
    kind: str
    text: str
    spaced: bool


_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)
    |(?P<char>'(?:\\.|[^'\\\n])+')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?))
    |(?P<variable>\$\w*)
    |(?P<field>\.[^\W\d]\w*)
    |(?P<dot>\.)
    |(?P<name>[^\W\d]\w*)
    |(?P<sign>:=|[=|(),])""",
    re.VERBOSE,
)
_CLOSE: Final = re.compile(r"(?P<trim>(?<=\s)-)?\}\}")
_COMMENT: Final = re.compile(r"(?:-\s+)?/\*.*?\*/(?P<trim>\s+-)?\}\}", re.DOTALL)
_TRIM_OPEN: Final = re.compile(r"-(?=\s)")
_WHITESPACE: Final = " \t\r\n"


def parse_template(text: str) -> Tree:
    """The tree of *text*.

    Raises:
        TemplateError: it is no Go template, names an unknown function or variable, or is too long or too deep.
    """
    if len(text) > _LONGEST:
        raise TemplateError(f"longer than {_LONGEST} characters")
    return _Parser(text).parse()


def _split(text: str) -> Iterator[Text | list[_Token]]:
    """*text* as pieces of text and the tokens of each action between them, trimmed as `{{-` and `-}}` ask."""
    position, trim_left = 0, False
    while True:
        opening = text.find("{{", position)
        piece = text[position:] if opening < 0 else text[position:opening]
        if trim_left:
            piece = piece.lstrip(_WHITESPACE)
        if opening < 0:
            yield Text(piece)
            return
        position = opening + 2
        if _TRIM_OPEN.match(text, position):
            piece = piece.rstrip(_WHITESPACE)
        yield Text(piece)
        comment = _COMMENT.match(text, position)
        if comment:
            position, trim_left = comment.end(), comment["trim"] is not None
            continue
        if _TRIM_OPEN.match(text, position):
            position += 1
        tokens, position, trim_left = _tokens(text, position)
        yield tokens


def _tokens(text: str, position: int) -> tuple[list[_Token], int, bool]:
    tokens: list[_Token] = []
    spaced = False
    while True:
        close = _CLOSE.match(text, position)
        if close:
            return tokens, close.end(), close["trim"] is not None
        found = _TOKEN.match(text, position)
        if found is None:
            if position >= len(text) or "}}" not in text[position:]:
                raise TemplateError("an action is not closed by }}")
            raise TemplateError(f"unexpected {text[position]!r} in an action")
        position = found.end()
        kind = str(found.lastgroup)
        if kind != "space":
            tokens.append(_Token(kind, found.group(), spaced))
        spaced = kind == "space"


class _Parser:
    """One pass over the pieces; `_take` and `_tokens` walk the action at hand."""

    def __init__(self, text: str) -> None:
        self._pieces = _split(text)
        self._defined: dict[str, tuple[Node, ...]] = {}
        self._called: set[str] = set()
        self._action: list[_Token] = []
        self._next = 0
        self._depth = 0
        self._ranges = 0
        self._scope: list[str] = list(_PREDEFINED)

    def parse(self) -> Tree:
        nodes, ending = self._nodes(top=True)
        if ending:
            self._fail(f"unexpected {{{{{ending}}}}}")
        for name in self._called - self._defined.keys():
            raise TemplateError(f"no template {name!r} is defined")
        return Tree(nodes, self._defined)

    def _nodes(self, *, top: bool = False) -> tuple[tuple[Node, ...], str]:
        """Nodes up to the action that ends them, and its keyword (`end`, `else`; empty at the end of the text)."""
        nodes: list[Node] = []
        for piece in self._pieces:
            if isinstance(piece, Text):
                if piece.text:
                    nodes.append(piece)
                continue
            self._action, self._next = piece, 0
            if not piece:
                self._fail("an action is empty")
            keyword = piece[0].text if piece[0].kind == "name" and piece[0].text in _KEYWORDS else ""
            if keyword in ("end", "else"):
                self._next = 1
                return tuple(nodes), keyword
            nodes.extend(self._statement(keyword))
        if not top:
            raise TemplateError("an if, with, range or define is not closed by {{ end }}")
        return tuple(nodes), ""

    def _statement(self, keyword: str) -> list[Node]:
        if not keyword:
            node: Node = Action(self._whole_pipe(declaring=True))
            return [node]
        self._next = 1
        match keyword:
            case "if" | "with" | "range":
                return [self._block(keyword)]
            case "define":
                self._define()
                return []
            case "block":
                name = self._string()
                pipe = self._whole_pipe()
                self._define_body(name)
                return [Call(name, pipe)]
            case "template":
                name = self._string()
                self._called.add(name)
                return [Call(name, self._whole_pipe() if self._peek() else None)]
            case _:
                if not self._ranges:
                    self._fail(f"{keyword} outside of a range")
                self._end_of_action()
                return [Jump(keyword)]

    def _block(self, keyword: str) -> Block:
        self._enter()
        mark = len(self._scope)
        pipe = self._whole_pipe(declaring=True, ranging=keyword == "range")
        self._ranges += keyword == "range"
        body, ending = self._nodes()
        self._ranges -= keyword == "range"
        otherwise: tuple[Node, ...] = ()
        if ending == "else":
            following = self._peek()
            if following and keyword != "range" and following.text == keyword:
                # `else if` and `else with`: the one `end` closes both.
                self._next += 1
                otherwise = (self._block(keyword),)
                del self._scope[mark:]
                self._depth -= 1
                return Block(keyword, pipe, body, otherwise)
            self._end_of_action()
            otherwise, ending = self._nodes()
            if ending == "else":
                self._fail("a second else")
        self._end_of_action()
        del self._scope[mark:]
        self._depth -= 1
        return Block(keyword, pipe, body, otherwise)

    def _define(self) -> None:
        if self._depth:
            self._fail("define inside of another block")
        name = self._string()
        self._end_of_action()
        self._define_body(name)

    def _define_body(self, name: str) -> None:
        self._enter()
        scope, self._scope = self._scope, ["$"]
        ranges, self._ranges = self._ranges, 0
        body, ending = self._nodes()
        if ending != "end":
            self._fail("else without if")
        self._end_of_action()
        self._scope, self._ranges = scope, ranges
        self._depth -= 1
        self._defined[name] = body

    def _whole_pipe(self, *, declaring: bool = False, ranging: bool = False) -> Pipe:
        declares, assigns = self._declarations(ranging=ranging) if declaring else ((), False)
        commands = self._commands()
        self._end_of_action()
        if not assigns:
            self._scope.extend(declares)
        return Pipe(commands, declares, assigns)

    def _declarations(self, *, ranging: bool) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        start = self._next
        while (token := self._peek()) and token.kind == "variable":
            names.append(token.text)
            self._next += 1
            separator = self._peek()
            if separator and separator.text in (":=", "="):
                self._next += 1
                if len(names) > (2 if ranging else 1):
                    self._fail("too many variables before " + separator.text)
                for name in names:
                    if separator.text == "=":
                        self._check_variable(name)
                return tuple(names), separator.text == "="
            if not (separator and separator.text == ","):
                break
            self._next += 1
        self._next = start
        return (), False

    def _commands(self) -> tuple[tuple[Operand, ...], ...]:
        commands: list[tuple[Operand, ...]] = []
        while True:
            operands: list[Operand] = []
            while (token := self._peek()) and token.text not in ("|", ")"):
                if operands and not token.spaced and token.kind != "sign":
                    self._fail(f"unexpected {token.text!r}")
                operands.append(self._operand())
            if not operands:
                self._fail("a value is missing")
            if len(operands) > 1 and not isinstance(operands[0], Function):
                self._fail("only a function takes arguments")
            if commands and not isinstance(operands[0], Function):
                self._fail("only a function can stand behind |")
            commands.append(tuple(operands))
            if not (token and token.text == "|"):
                return tuple(commands)
            self._next += 1

    def _operand(self) -> Operand:
        token = self._action[self._next]
        self._next += 1
        match token.kind:
            case "string" | "char" | "number":
                return Literal(_constant(token))
            case "variable":
                self._check_variable(token.text)
                return Variable(token.text, self._fields())
            case "dot":
                return Variable(".", ())
            case "field":
                return Variable(".", (token.text[1:], *self._fields()))
            case "name":
                return self._name(token.text)
        if token.text != "(":
            self._fail(f"unexpected {token.text!r}")
        self._enter()
        commands = self._commands()
        closing = self._peek()
        if closing is None or closing.text != ")":
            self._fail("a parenthesis is not closed")
        self._next += 1
        self._depth -= 1
        return Group(Pipe(commands), self._fields())

    def _name(self, name: str) -> Operand:
        if name in ("true", "false"):
            return Literal(name == "true")
        if name == "nil":
            return Literal(None)
        if name not in FUNCTIONS and name not in LAZY_FUNCTIONS:
            self._fail(f"function {name!r} is not defined")
        return Function(name)

    def _fields(self) -> tuple[str, ...]:
        fields: list[str] = []
        while (token := self._peek()) and token.kind == "field" and not token.spaced:
            fields.append(token.text[1:])
            self._next += 1
        return tuple(fields)

    def _string(self) -> str:
        token = self._peek()
        if token is None or token.kind != "string":
            self._fail("a template's name, in quotes, is missing")
        self._next += 1
        return str(_constant(token))

    def _check_variable(self, name: str) -> None:
        if name not in self._scope:
            self._fail(f"undefined variable {name!r}")

    def _peek(self) -> _Token | None:
        return self._action[self._next] if self._next < len(self._action) else None

    def _end_of_action(self) -> None:
        token = self._peek()
        if token is not None:
            self._fail(f"unexpected {token.text!r}")

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail(f"nested more than {_DEEPEST} levels deep")

    def _fail(self, message: str) -> NoReturn:
        raise TemplateError(message)


def _constant(token: _Token) -> object:
    text = token.text
    try:
        if token.kind == "number":
            return int(text, 0) if re.fullmatch(r"[+-]?(?:0[xX][0-9a-fA-F]+|0|[1-9]\d{0,18})", text) else float(text)
        if text.startswith("`"):
            return text[1:-1]
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise TemplateError(f"malformed constant {text[:60]}") from None
    if token.kind == "char":
        if len(value) != 1:
            raise TemplateError(f"malformed character {text[:60]}")
        return ord(value)
    return value
