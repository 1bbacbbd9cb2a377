"""What can be said of an expression without evaluating it."""

from promql_parser import VectorSelector

from dozor.errors import PromQLError
from dozor.promql.compile import Compiler, Dialect
from dozor.promql.parsing import parse, unwrapped
from dozor.promql.selectors import matchers_of
from dozor.store import Matchers


def parse_selector(text: str) -> Matchers:
    """The matchers of a series selector alone, such as `up{job="api"}`.

    Raises:
        PromQLError: it cannot be parsed, or is more than a selector.
    """
    selector = unwrapped(parse(text))
    if not isinstance(selector, VectorSelector) or selector.offset is not None or selector.at is not None:
        raise PromQLError(f'{text[:80]!r} is no series selector; write one like up{{job="api"}}')
    return matchers_of(Compiler(Dialect()), selector)


def format_expression(text: str) -> str:
    """*text* as Prometheus lays an expression out. Raises PromQLError where it is none."""
    return str(parse(text).prettify())
