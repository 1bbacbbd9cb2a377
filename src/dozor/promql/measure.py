"""What an expression measures: the metric whose unit its values have."""

import promql_parser as tree

from dozor.promql.parsing import Expr, parse, unwrapped

# What gives one of the values it was given, or lies between them, and so keeps their unit.
_KEEPING_OPERATORS = frozenset({"sum", "max", "min", "avg", "topk", "bottomk", "quantile"})
_KEEPING_FUNCTIONS = frozenset({
    "max_over_time", "min_over_time", "avg_over_time", "last_over_time", "quantile_over_time", "sort", "sort_desc", "abs",
    "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "delta", "idelta", "label_replace", "label_join",
})  # fmt: skip


def measured_metric(expr: str) -> str | None:
    """The metric in whose unit *expr* counts; None where that is no metric's, or cannot be told.

    Of a quantile over buckets that is the histogram's: `http_request_duration_seconds`. Raises PromQLError.
    """
    return _measured(parse(expr))


def _measured(node: Expr) -> str | None:
    match unwrapped(node):
        case tree.VectorSelector(name=name) | tree.MatrixSelector(vector_selector=tree.VectorSelector(name=name)):
            return name or None
        case tree.AggregateExpr(op=op, expr=inner) if str(op) in _KEEPING_OPERATORS:
            return _measured(inner)
        case tree.Call(func=function, args=arguments):
            return _of_call(str(function.name), list(arguments))
        case _:
            return None


def _of_call(function: str, arguments: list[Expr]) -> str | None:
    if function == "histogram_quantile":
        buckets = _bucketed(arguments[-1])
        return None if buckets is None else buckets.removesuffix("_bucket")
    if function not in _KEEPING_FUNCTIONS:
        return None
    found = [name for argument in arguments if (name := _measured(argument)) is not None]
    return found[0] if len(found) == 1 else None


def _bucketed(node: Expr) -> str | None:
    """The metric of the buckets that *node* sums up or makes rates of."""
    match unwrapped(node):
        case tree.AggregateExpr(expr=inner):
            return _bucketed(inner)
        case tree.Call(args=arguments) if len(list(arguments)) == 1:
            return _bucketed(next(iter(arguments)))
        case other:
            return _measured(other)
