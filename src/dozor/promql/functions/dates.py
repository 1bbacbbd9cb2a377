"""The calendar, in UTC."""

import calendar
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dozor.promql.context import Context
from dozor.promql.functions.base import VectorBuilder
from dozor.promql.parsing import Expr
from dozor.promql.vector import UNLABELLED, Vector

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _of_date(function: Callable[[datetime], int]) -> VectorBuilder:
    """`name()` of the time of evaluation, `name(vector)` of each value as Unix seconds."""

    def value_of(seconds: float) -> float:
        try:
            return float(function(_EPOCH + timedelta(seconds=math.trunc(seconds))))
        except (ValueError, OverflowError):  # NaN, infinite, or outside the years 1 to 9999
            return math.nan

    def build(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
        if not args:
            return lambda context: Vector(UNLABELLED, [value_of(context.at // 1000)])
        node, drop = compiler.vector(args[0]), compiler.dropper()

        def evaluate(context: Context) -> Vector:
            vector = node(context)
            return Vector(drop(vector.labels), [value_of(value) for value in vector.values])

        return evaluate

    return build


FUNCTIONS: Final[dict[str, VectorBuilder]] = {
    "day_of_month": _of_date(lambda date: date.day),
    "day_of_week": _of_date(lambda date: date.isoweekday() % 7),
    "day_of_year": _of_date(lambda date: date.timetuple().tm_yday),
    "days_in_month": _of_date(lambda date: calendar.monthrange(date.year, date.month)[1]),
    "hour": _of_date(lambda date: date.hour),
    "minute": _of_date(lambda date: date.minute),
    "month": _of_date(lambda date: date.month),
    "year": _of_date(lambda date: date.year),
}
