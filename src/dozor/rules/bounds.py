"""Between what the values of an expression must lie, and which of its comparisons therefore can never hold."""

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import promql_parser as tree

from dozor.promql.binary import COMPARISONS
from dozor.promql.parsing import Expr, unwrapped
from dozor.rules.known_metrics import PERCENT, extremes
from dozor.rules.threshold import MIRRORED, constant_of


class Range(NamedTuple):
    """The least and the largest value, both included."""

    low: float
    high: float


_ANY: Final = Range(-math.inf, math.inf)
_NOT_NEGATIVE: Final = Range(0.0, math.inf)
_ONE: Final = Range(1.0, 1.0)

_KEEPING: Final = frozenset({
    "avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time", "label_replace", "label_join",
    "sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "scalar", "vector",
})  # fmt: skip
_COUNTING: Final = frozenset({"rate", "irate", "increase", "changes", "resets", "count_over_time", "abs"})
_CLAMPING: Final[Mapping[str, Callable[[float, float], float]]] = {"clamp_min": max, "clamp_max": min}
_CHOOSING: Final = frozenset({"min", "max", "avg", "topk", "bottomk", "limitk"})


def unreachable(expr: Expr) -> Iterator[tuple[str, Range]]:
    """The comparisons with a number in *expr* that hold for no value, each with what is compared lies between."""
    for sign, compared, number, text in _comparisons(expr):
        found = bounds(compared)
        if _never(sign, found, number):
            yield text, found


def mistaken_for_ratio(expr: Expr) -> Iterator[tuple[str, str]]:
    """The comparisons of a metric that is in percent with a number from 0 to 1, each with the metric's name."""
    for sign, compared, number, text in _comparisons(expr):
        inner = _kept(compared)
        if isinstance(inner, tree.VectorSelector) and inner.name in PERCENT and sign in {">", ">="} and 0 < number <= 1:
            yield text, inner.name


def bounds(expr: Expr) -> Range:
    """Between what the values of *expr* lie."""
    match unwrapped(expr):
        case tree.NumberLiteral(val=value):
            found = Range(value, value) if math.isfinite(value) else _ANY
        case tree.VectorSelector(name=name):
            found = Range(*extremes(name or ""))
        case tree.MatrixSelector(vector_selector=inner) | tree.SubqueryExpr(expr=inner):
            found = bounds(inner)
        case tree.UnaryExpr(expr=inner):
            found = _corners(Range(-1.0, -1.0), bounds(inner), operator.mul)
        case tree.Call() as call:
            found = _of_call(call)
        case tree.AggregateExpr() as aggregation:
            found = _of_aggregation(aggregation)
        case tree.BinaryExpr() as operation:
            found = _of_operation(operation)
        case _:
            found = _ANY
    return found


def _comparisons(expr: Expr) -> Iterator[tuple[str, Expr, float, str]]:
    """Sign, what is compared, the number, and the text of each comparison that filters by a number."""
    for node in nodes(expr):
        if not isinstance(node, tree.BinaryExpr) or str(node.op) not in COMPARISONS:
            continue
        if node.modifier is not None and node.modifier.return_bool:
            continue  # it gives 0 or 1, and filters nothing
        right, left = constant_of(node.rhs), constant_of(node.lhs)
        if right is not None and left is None:
            yield str(node.op), node.lhs, right, _short(node)
        elif left is not None and right is None:
            yield MIRRORED[str(node.op)], node.rhs, left, _short(node)


def nodes(expr: Expr) -> Iterator[Expr]:
    """*expr* and all that it is made of."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case tree.BinaryExpr(lhs=left, rhs=right):
                waiting += [right, left]
            case tree.Call(args=arguments):
                waiting += reversed(arguments)
            case tree.MatrixSelector(vector_selector=inner):
                waiting.append(inner)
            case tree.AggregateExpr(expr=inner) | tree.SubqueryExpr(expr=inner) | tree.ParenExpr(expr=inner):
                waiting.append(inner)
            case tree.UnaryExpr(expr=inner):
                waiting.append(inner)


def _short(node: Expr) -> str:
    text = " ".join(str(node.prettify()).split())
    return text if len(text) <= 100 else f"{text[:99]}…"


def _never(sign: str, found: Range, number: float) -> bool:
    match sign:
        case ">":
            return found.high <= number
        case ">=":
            return found.high < number
        case "<":
            return found.low >= number
        case "<=":
            return found.low > number
        case "==":
            return not found.low <= number <= found.high
    return False


def _kept(expr: Expr) -> Expr:
    """What *expr* takes its values from, unchanged."""
    while True:
        match unwrapped(expr):
            case tree.AggregateExpr(op=choice, expr=inner) if str(choice) in _CHOOSING:
                expr = inner
            case tree.Call(func=function, args=[inner, *_]) if function.name in _KEEPING:
                expr = inner
            case tree.MatrixSelector(vector_selector=inner):
                expr = inner
            case other:
                return other


def _of_call(call: Expr) -> Range:
    name, arguments = call.func.name, call.args
    if name in _KEEPING and arguments:
        return bounds(arguments[0])
    if name in _COUNTING or (name == "sum_over_time" and bounds(arguments[0]).low >= 0):
        return _NOT_NEGATIVE
    if name in {"absent", "absent_over_time"}:
        return _ONE
    limit = constant_of(arguments[1]) if name in _CLAMPING else None
    if limit is None:
        return _ANY
    low, high = bounds(arguments[0])
    return Range(_CLAMPING[name](low, limit), _CLAMPING[name](high, limit))


def _of_aggregation(aggregation: Expr) -> Range:
    match str(aggregation.op):
        case choice if choice in _CHOOSING:
            found = bounds(aggregation.expr)
        case "count":
            found = Range(1.0, math.inf)
        case "group":
            found = _ONE
        case "sum":
            low = bounds(aggregation.expr).low
            found = Range(low, math.inf) if low >= 0 else _ANY
        case "stddev" | "stdvar":
            found = _NOT_NEGATIVE
        case _:
            found = _ANY
    return found


_ARITHMETIC: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def _of_operation(operation: Expr) -> Range:
    sign = str(operation.op)
    left, right = bounds(operation.lhs), bounds(operation.rhs)
    if sign in COMPARISONS:
        if operation.modifier is not None and operation.modifier.return_bool:
            return Range(0.0, 1.0)
        return right if constant_of(operation.lhs) is not None else left
    match sign:
        case "and" | "unless":
            found = left
        case "or":
            found = Range(min(left.low, right.low), max(left.high, right.high))
        case "/" if right.low > 0 and math.isfinite(right.high):
            found = _corners(left, Range(1 / right.high, 1 / right.low), operator.mul)
        case "/" if left.low >= 0 and right.low >= 0:
            found = _NOT_NEGATIVE
        case _ if sign in _ARITHMETIC:
            found = _corners(left, right, _ARITHMETIC[sign])
        case _:
            found = _ANY
    return found


def _corners(left: Range, right: Range, apply: Callable[[float, float], float]) -> Range:
    found = [apply(one, other) for one in left for other in right]
    # 0 times infinity: nothing large times nothing is nothing.
    found = [0.0 if math.isnan(value) and apply is operator.mul else value for value in found]
    return _ANY if any(map(math.isnan, found)) else Range(min(found) + 0.0, max(found) + 0.0)  # no -0
