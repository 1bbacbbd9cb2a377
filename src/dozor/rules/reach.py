"""How far back an expression looks."""

from datetime import timedelta

import promql_parser as tree

from dozor.promql.parsing import Expr, unwrapped


def reach_seconds(expr: Expr) -> float:
    """The seconds between the moment of evaluation and the oldest sample that *expr* may ask for, lookback aside.

    What `@` pins to a moment of its own does not count.
    """
    match unwrapped(expr):
        case tree.VectorSelector() as selector:
            found = 0.0 if selector.at is not None else _seconds(selector.offset)
        case tree.MatrixSelector(vector_selector=selector, range=span):
            found = 0.0 if selector.at is not None else _seconds(span) + _seconds(selector.offset)
        case tree.SubqueryExpr(expr=inner, range=span) as subquery:
            own = 0.0 if subquery.at is not None else _seconds(span) + _seconds(subquery.offset)
            found = own + reach_seconds(inner)
        case tree.BinaryExpr(lhs=left, rhs=right):
            found = max(reach_seconds(left), reach_seconds(right))
        case tree.Call(args=arguments):
            found = max(map(reach_seconds, arguments), default=0.0)
        case tree.AggregateExpr(expr=inner) | tree.UnaryExpr(expr=inner):
            found = reach_seconds(inner)
        case _:
            found = 0.0
    return max(found, 0.0)


def _seconds(duration: timedelta | None) -> float:
    return 0.0 if duration is None else duration.total_seconds()
