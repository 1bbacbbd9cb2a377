"""Turns the parser's tree into closures, once; evaluating is then nothing but calling them.

A node is a function of the `Context`. Which kind of node an expression needs is known beforehand, so there is one way to
compile each kind and nothing is asked about types while evaluating.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import promql_parser as tree
from msgspec import Struct

from dozor.errors import PromQLError
from dozor.promql.names import NameDropper
from dozor.promql.parsing import Expr, Kind, kind, unwrapped
from dozor.promql.vector import UNLABELLED, Vector

if TYPE_CHECKING:
    from dozor.promql.context import Context
    from dozor.promql.vector import Matrix

ScalarNode = Callable[["Context"], float]
VectorNode = Callable[["Context"], Vector]
MatrixNode = Callable[["Context"], "Matrix"]


class Dialect(Struct, frozen=True):
    """What an expression may use and how it is read, where Prometheus leaves that to a setting.

    Attributes:
        delayed_name_removal: metric names go at the end of a query rather than at the operation that makes them wrong
            (`promql-delayed-name-removal`).
        experimental: functions, aggregations and modifiers that upstream calls experimental
            (`promql-experimental-functions`, `promql-binop-fill-modifiers`).
    """

    delayed_name_removal: bool = False
    experimental: bool = False


class Compiler:
    """Compiles one expression."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.metric_names: set[str] = set()
        """The metrics that selectors name outright."""
        self.all_named = True
        """Whether each selector does."""

    def dropper(self) -> NameDropper:
        """What takes names off the results of one node."""
        return NameDropper(delayed=self.dialect.delayed_name_removal)

    def require_experimental(self, what: str) -> None:
        """Refuse *what* where the dialect has no experimental features."""
        if not self.dialect.experimental:
            raise PromQLError(f"{what} is experimental in Prometheus and is not enabled here")

    def scalar(self, expr: Expr) -> ScalarNode:
        """*expr* as a number."""
        match unwrapped(expr):
            case tree.NumberLiteral(val=value):
                return lambda _: value
            case tree.UnaryExpr(expr=operand):
                node = self.scalar(operand)
                return lambda context: -node(context)
            case tree.BinaryExpr() as operation:
                return binary.compile_scalars(self, operation)
            case tree.Call() as call if kind(call) is Kind.SCALAR:
                return functions.compile_scalar(self, call)
            case _:
                raise PromQLError("a number is needed here")

    def vector(self, expr: Expr) -> VectorNode:
        """*expr* as a vector; a number becomes a vector of one element without labels."""
        if kind(expr) is Kind.SCALAR:
            number = self.scalar(expr)
            return lambda context: Vector(UNLABELLED, [number(context)])
        match unwrapped(expr):
            case tree.VectorSelector() as selector:
                return selectors.compile_vector(self, selector)
            case tree.UnaryExpr(expr=operand):
                return self._negation(operand)
            case tree.BinaryExpr() as operation:
                return binary.compile_vectors(self, operation)
            case tree.AggregateExpr() as aggregate:
                return aggregation.compile_aggregate(self, aggregate)
            case tree.Call() as call:
                return functions.compile_vector(self, call)
            case _:
                raise PromQLError("a vector is needed here")

    def matrix(self, expr: Expr) -> MatrixNode:
        """*expr* as stretches of samples."""
        match unwrapped(expr):
            case tree.MatrixSelector() as selector:
                return selectors.compile_matrix(self, selector)
            case tree.SubqueryExpr() as query:
                return subquery.compile_subquery(self, query)
            case _:
                raise PromQLError("a range is needed here, such as metric[5m]")

    def text(self, expr: Expr) -> str:
        """*expr*, which is a text."""
        literal = unwrapped(expr)
        if not isinstance(literal, tree.StringLiteral):
            raise PromQLError("a text in quotes is needed here")
        return str(literal.val)

    def _negation(self, operand: Expr) -> VectorNode:
        node, drop = self.vector(operand), self.dropper()

        def negate(context: "Context") -> Vector:
            vector = node(context)
            return Vector(drop(vector.labels), [-value for value in vector.values])

        return negate


# These compile the nodes that have much to say, and call back for their operands.
from dozor.promql import aggregation, binary, functions, selectors, subquery  # noqa: E402 - they need the class above
