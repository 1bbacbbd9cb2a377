"""Functions that rewrite labels."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dozor.errors import PromQLError
from dozor.model.labels import METRIC_NAME, Labels
from dozor.promql.context import Context
from dozor.promql.functions.base import VectorBuilder
from dozor.promql.names import like, unique
from dozor.promql.parsing import Expr
from dozor.promql.vector import NO_LABELS, Vector
from dozor.store.regex import compile_anchored

if TYPE_CHECKING:
    from dozor.promql.compile import Compiler, VectorNode


def _rewriting(
    compiler: "Compiler", vector: Expr, target: str, value_of: Callable[[Labels], str | None]
) -> "VectorNode":
    """*vector* with the label *target* set to what *value_of* says; None leaves the labels as they are."""
    node = compiler.vector(vector)
    remembered: list[tuple[list[Labels], list[Labels]]] = [(NO_LABELS, NO_LABELS)]

    def rewrite(labels: Labels) -> Labels:
        value = value_of(labels)
        if value is None:
            return labels
        written = labels.with_({target: value})
        return written if target == METRIC_NAME else like(written, labels)

    def evaluate(context: Context) -> Vector:
        found = node(context)
        known, rewritten = remembered[0]
        if known is not found.labels:
            rewritten = unique([rewrite(labels) for labels in found.labels])
            remembered[0] = (found.labels, rewritten)
        return Vector(rewritten, found.values)

    return evaluate


def _label_replace(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    target, replacement, source, expression = (compiler.text(arg) for arg in args[1:])
    _check_name(target, "destination", "label_replace()")
    try:
        pattern = compile_anchored(expression)
    except ValueError as error:
        raise PromQLError(f"label_replace(): {error}") from None

    def value_of(labels: Labels) -> str | None:
        text = labels.get(source)
        captures = pattern.capture(text)
        return None if captures is None else pattern.expand(replacement, text, captures)

    return _rewriting(compiler, args[0], target, value_of)


def _label_join(compiler: "Compiler", args: list[Expr]) -> "VectorNode":
    target, separator, *sources = (compiler.text(arg) for arg in args[1:])
    _check_name(target, "destination", "label_join()")
    for source in sources:
        _check_name(source, "source", "label_join()")
    return _rewriting(
        compiler, args[0], target, lambda labels: separator.join(labels.get(source) for source in sources)
    )


def _check_name(name: str, role: str, function: str) -> None:
    if not name:
        raise PromQLError(f"invalid {role} label name in {function}: {name!r}")


FUNCTIONS: Final[dict[str, VectorBuilder]] = {"label_join": _label_join, "label_replace": _label_replace}
