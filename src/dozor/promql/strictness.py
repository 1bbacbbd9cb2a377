"""Which expressions give nothing over nothing: most do, and need not be evaluated where what they look at is not there."""

from typing import Final

import promql_parser as tree

from dozor.promql.matching import matching_of
from dozor.promql.parsing import Expr, Kind, kind, unwrapped

# The first two make something of nothing; the last one may fail for its parameters.
_OTHERS: Final = frozenset({"absent", "absent_over_time", "double_exponential_smoothing"})


def is_strict(expr: Expr) -> bool:
    """Whether *expr* is a vector or range that surely is empty where all of its selectors are, and cannot fail then."""
    match unwrapped(expr):
        case tree.VectorSelector() | tree.MatrixSelector():
            return True
        case tree.SubqueryExpr(expr=operand) | tree.UnaryExpr(expr=operand):
            return is_strict(operand)
        case tree.AggregateExpr() as aggregate:
            return aggregate.param is None and is_strict(aggregate.expr)
        case tree.Call() as call:
            # What gives a number gives one in any case.
            return kind(call) is Kind.VECTOR and call.func.name not in _OTHERS and _are_strict(call.args)
        case tree.BinaryExpr() as operation:
            matching = matching_of(operation.modifier)
            filled = matching.fill_many is not None or matching.fill_one is not None
            return not filled and _are_strict([operation.lhs, operation.rhs])
        case _:
            return False


def _are_strict(operands: list[Expr]) -> bool:
    """Whether there are vectors or ranges among *operands*, and all of those are strict."""
    vectors = [operand for operand in operands if kind(operand) in (Kind.VECTOR, Kind.MATRIX)]
    return bool(vectors) and all(map(is_strict, vectors))
