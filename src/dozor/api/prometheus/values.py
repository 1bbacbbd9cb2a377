"""How Prometheus' HTTP API writes numbers, moments and the results of queries.

Written by hand, since there may be half a million of them: a result goes from its floats straight to the bytes of the answer.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from dozor.api.encoding import encodable
from dozor.model.labels import Labels
from dozor.promql import Kind, Points, Result

NEVER: Final = "0001-01-01T00:00:00Z"
"""What has not happened yet, in Go."""
TRUNCATED: Final = "results truncated due to limit"
"""The warning beside an answer that was cut at what the request allows."""

_PLAIN_FROM: Final = 1e-6
_PLAIN_BELOW: Final = 1e21


def number(value: float) -> str:
    """*value* as Prometheus writes that of a sample: shortest digits, an exponent only for the very large and small."""
    text = repr(value)
    if "e" not in text and "n" not in text:  # nor inf or nan: nearly all
        return text.removesuffix(".0")
    if "e" in text and not _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return text
    return plain(value)


def plain(value: float) -> str:
    """*value* as Prometheus writes a scalar: shortest digits, never an exponent."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text.removesuffix(".0")


def exponential(value: float) -> str:
    """*value* as Prometheus writes that of an alert: `9.6e+01`."""
    if not math.isfinite(value):
        return plain(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, rest = digits[0], "".join(map(str, digits[1:]))
    power = int(exponent) + len(rest) if value else 0
    return f"{'-' if sign else ''}{first}{'.' if rest else ''}{rest}e{power:+03d}"


def moment(milliseconds: int) -> str:
    """Unix seconds as Prometheus writes them: with milliseconds where there are any."""
    seconds, rest = divmod(abs(milliseconds), 1000)
    sign = "-" if milliseconds < 0 else ""
    return f"{sign}{seconds}.{rest:03d}" if rest else f"{sign}{seconds}"


def rfc3339(when: datetime | None) -> str:
    """*when* as Go writes it."""
    if when is None:
        return NEVER
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encoded(value: Any) -> bytes:
    """*value* as JSON; what UTF-8 cannot carry (half a surrogate pair out of somebody's label) is replaced."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(encodable(value))


def result_data(result: Result, at: float) -> dict[str, Any]:
    """What a query gave, as `resultType` and `result`; *at* (Unix seconds) is the moment of an instant query."""
    when = moment(round(at * 1000))
    match result.kind:
        case Kind.SCALAR:
            written = f'[{when},"{plain(result.vector[0].value)}"]'.encode()
        case Kind.STRING:
            written = b"[%b,%b]" % (when.encode(), encoded(result.text))
        case Kind.MATRIX:
            written = _listed(_series(result.matrix))
        case _:
            written = _listed(
                b'{"metric":%b,"value":[%b,"%b"]}' % (encoded(dict(labels)), when.encode(), number(value).encode())
                for labels, value in result.vector
            )
    return {"resultType": result.kind.value, "result": msgspec.Raw(written)}


def _listed(items: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(items)


def _series(matrix: Iterable[tuple[Labels, Points]]) -> Iterable[bytes]:
    moments = _Moments()
    for labels, points in matrix:
        values = ",".join([f'[{moments[at]},"{number(value)}"]' for at, value in points])
        yield b'{"metric":%b,"values":[%b]}' % (encoded(dict(labels)), values.encode())


class _Moments(dict[float, str]):
    """Moments as they are written: the series of one answer mostly share them."""

    def __missing__(self, at: float) -> str:
        written = self[at] = moment(round(at * 1000))
        return written
