"""The functions of PromQL, by name. One module for each kind; each lists its own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.promql.functions import dates, histograms, labels, over_time, presence, rates, sorting, values
from dozor.promql.functions.base import ScalarBuilder, VectorBuilder
from dozor.promql.parsing import Expr

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, ScalarNode, VectorNode

VECTOR_FUNCTIONS: Final[Mapping[str, VectorBuilder]] = {
    **dates.FUNCTIONS,
    **histograms.FUNCTIONS,
    **labels.FUNCTIONS,
    **over_time.FUNCTIONS,
    **presence.FUNCTIONS,
    **rates.FUNCTIONS,
    **sorting.FUNCTIONS,
    **values.FUNCTIONS,
}
SCALAR_FUNCTIONS: Final[Mapping[str, ScalarBuilder]] = {**values.SCALAR_FUNCTIONS, **presence.SCALAR_FUNCTIONS}

__all__ = ["SCALAR_FUNCTIONS", "VECTOR_FUNCTIONS", "compile_scalar", "compile_vector"]


def compile_vector(compiler: "Compiler", call: Expr) -> "VectorNode":
    """A call that gives a vector."""
    name = str(call.func.name)
    _check_enabled(compiler, call)
    build = VECTOR_FUNCTIONS.get(name)
    if build is None:
        raise PromQLError(f"the function {name} is not supported")
    return build(compiler, list(call.args))


def compile_scalar(compiler: "Compiler", call: Expr) -> "ScalarNode":
    """A call that gives a number."""
    name = str(call.func.name)
    _check_enabled(compiler, call)
    build = SCALAR_FUNCTIONS.get(name)
    if build is None:
        raise PromQLError(f"the function {name} is not supported")
    return build(compiler, list(call.args))


# Stable since the parser's list of experimental functions was drawn up.
_STABLE: Final = frozenset({"first_over_time"})


def _check_enabled(compiler: "Compiler", call: Expr) -> None:
    if call.func.experimental and call.func.name not in _STABLE:
        compiler.require_experimental(f"{call.func.name}()")
