"""From text to the parser's tree, and what the tree says about itself."""

from datetime import timedelta
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import promql_parser as tree

from dozor.errors import PromQLError
from dozor.promql import guard

Expr = Any
"""A node of the parser's tree; its bindings carry no usable types."""

MILLISECOND: Final = timedelta(milliseconds=1)


class Kind(Enum):
    """What an expression evaluates to, by the names of Prometheus' API."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"
    STRING = "string"


@lru_cache(maxsize=16)
def parse(expression: str) -> Expr:
    """The tree of *expression*. Raises PromQLError saying what is wrong with it.

    Who reads a rule asks for it several times in a row.
    """
    guard.check(expression)
    try:
        return tree.parse(expression)
    except ValueError as error:
        raise PromQLError(f"{error} in {_shortened(expression)}") from None
    except Exception as error:  # noqa: BLE001 - the parser is not ours, and what it raises on odd input is not documented
        raise PromQLError(f"the expression cannot be parsed: {error}") from None


def kind(expr: Expr) -> Kind:
    """What *expr* evaluates to."""
    match unwrapped(expr):
        case tree.UnaryExpr(expr=operand):
            return kind(operand)
        case tree.BinaryExpr() as operation:
            # To take a side out of the parser's tree is to copy it.
            scalars = kind(operation.lhs) is Kind.SCALAR and kind(operation.rhs) is Kind.SCALAR
            return Kind.SCALAR if scalars else Kind.VECTOR
        case tree.Call(func=function):
            return Kind(str(function.return_type).rpartition(".")[2].lower())
        case other:
            return _KINDS.get(type(other), Kind.VECTOR)


_KINDS: Final = {
    tree.NumberLiteral: Kind.SCALAR,
    tree.StringLiteral: Kind.STRING,
    tree.MatrixSelector: Kind.MATRIX,
    tree.SubqueryExpr: Kind.MATRIX,
}


def milliseconds(duration: timedelta | None) -> int:
    """*duration* in milliseconds, 0 for none."""
    return 0 if duration is None else duration // MILLISECOND


def unwrapped(expr: Expr) -> Expr:
    """*expr* without parentheses around it."""
    while isinstance(expr, tree.ParenExpr):
        expr = expr.expr
    return expr


def _shortened(expression: str, length: int = 200) -> str:
    text = " ".join(expression.split())
    return repr(text if len(text) <= length else text[: length - 1] + "…")
