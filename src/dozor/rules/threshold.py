"""What a rule compares its value with, told from its expression."""

import math
from typing import Final, NamedTuple

import promql_parser as tree

from dozor.promql.binary import ARITHMETIC, COMPARISONS
from dozor.promql.parsing import Expr, Kind, kind, parse, unwrapped

MIRRORED: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
# What these give holds whatever comparison all that they are given holds.
_KEEPING: Final = frozenset({"label_replace", "label_join", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc"})
_CHOOSING: Final = frozenset({"min", "max", "avg", "topk", "bottomk"})


class Comparison(NamedTuple):
    """The comparison with a number that decides whether an expression holds: *measured* *sign* *number*."""

    measured: Expr
    sign: str
    number: float

    def __str__(self) -> str:
        return f"{self.sign} {self.number:.15g}"


def threshold_of(expr: str) -> str | None:
    """The comparison with a number that decides whether *expr* holds, such as `> 90`.

    None where there is none, or where it depends on the series which one it was.

    Raises:
        PromQLError: *expr* cannot be parsed.
    """
    found = comparison_of(expr)
    return None if found is None else str(found)


def comparison_of(expr: str) -> Comparison | None:
    """As `threshold_of`, with what is compared."""
    try:
        return _comparison(parse(expr))
    except RecursionError:
        return None


def _comparison(expr: Expr) -> Comparison | None:
    match unwrapped(expr):
        case tree.BinaryExpr() as operation:
            return _of_operation(operation)
        case tree.Call(func=function, args=args) if function.name in _KEEPING:
            return _comparison(args[0])
        case tree.AggregateExpr(op=choice, expr=inner) if str(choice) in _CHOOSING:
            return _comparison(inner)
    return None


def _of_operation(operation: Expr) -> Comparison | None:
    sign = str(operation.op)
    match sign:
        case "and" | "unless":
            return _comparison(operation.lhs)
        case "or":
            left, right = _comparison(operation.lhs), _comparison(operation.rhs)
            return left if left is not None and right is not None and str(left) == str(right) else None
    if sign not in COMPARISONS or (operation.modifier is not None and operation.modifier.return_bool):
        return None
    number = constant_of(operation.rhs)
    if number is not None:
        # Of `0 < x < 10` the first is as good as the second.
        return _comparison(operation.lhs) or Comparison(operation.lhs, sign, number)
    number = constant_of(operation.lhs)
    if number is not None:
        return _comparison(operation.rhs) or Comparison(operation.rhs, MIRRORED[sign], number)
    return _comparison(operation.lhs)


def constant_of(expr: Expr) -> float | None:
    """The number that *expr* always is, as in `5 * 60`."""
    if kind(expr) is not Kind.SCALAR:
        return None
    match unwrapped(expr):
        case tree.NumberLiteral(val=value):
            return float(value) if math.isfinite(value) else None
        case tree.UnaryExpr(expr=operand):
            number = constant_of(operand)
            return None if number is None else -number
        case tree.BinaryExpr(lhs=lhs, rhs=rhs, op=op) if str(op) in ARITHMETIC:
            left, right = constant_of(lhs), constant_of(rhs)
            return None if left is None or right is None else _finite(ARITHMETIC[str(op)](left, right))
    return None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
