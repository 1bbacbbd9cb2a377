"""Samples, and expressions over them, for comparing Dozor with the real Prometheus (2.42, the one that Debian brings).

Two right answers may differ where the order of a summation decides, and where Prometheus has changed its mind since 2.42.
What is generated stays clear of both:

* Expressions are of two sorts. *exact* ones come out the same to the last bit, whatever the order of summation: values
  are quarters, and only operations that lose nothing are made of them. What jumps (comparisons, `floor`, `%`, `topk`, …) is
  made over exact ones only, since a difference in the last bit would become a difference in the result.
* Samples lie off whole and half seconds, queries on half seconds, and the steps of subqueries on whole ones, so that no
  sample lies on the edge of a range: 2.42 counts it in at both ends, Prometheus 3 at the later one alone.
* Counters stay well above zero, also after a reset: how far `rate` may extend a range towards a counter's zero was
  corrected later.
* `predict_linear` looks at no range with `@`: 2.42 moves that range from step to step.
* `count_values by` names no more than two labels: with three, 2.42 forgets one of them after the first step.
* Comparisons that leave out elements are made where each has but one partner: later versions refuse the others even if
  none of them is left.
* Results of `atan2` are summed up: 2.42 leaves them the metric's name.
* NaN and infinities stay out of `stddev` and `stdvar`, of which 2.42 makes 0 for a single infinity.
"""

import math
import random
from typing import Final

from hypothesis import strategies as st

from dozor.model.labels import METRIC_NAME, Labels
from dozor.store import STALE_NAN

T0: Final = 1_700_000_000
SECONDS: Final = 1800
_EVERY: Final = 10

Expressions = st.SearchStrategy[str]


def samples(seed: int) -> list[tuple[Labels, list[tuple[int, float]]]]:
    """The series that expressions are about, with their samples: (Unix milliseconds, value)."""
    draw = random.Random(seed)
    times = [(T0 + at) * 1000 + draw.randrange(100, 400) for at in range(0, SECONDS, _EVERY)]
    made: list[tuple[Labels, list[tuple[int, float]]]] = []

    def add(name: str, values: list[float], labels: dict[str, str], *, keep: float = 1.0) -> None:
        kept = [pair for pair in zip(times, values, strict=True) if draw.random() < keep]
        made.append((Labels({METRIC_NAME: name, **labels}), kept))

    for job in "ab":
        add("other_total", _counter(draw, len(times), 4), {"job": job})
        late = list(zip(times, _counter(draw, len(times), 9), strict=True))[40:140]
        made.append((Labels(__name__="late_total", job=job), late if job == "a" else late[20:50] + late[70:]))
        add("limit", [40.0 if job == "a" else 25.5] * len(times), {"job": job})
        add("seconds", [1.6e9 + 86_411.25 * place * (1 + (job == "b")) for place in range(len(times))], {"job": job})
        add("build", [1.0] * len(times), {"job": job, "version": f"1.{job}"})
        for instance in "01":
            target = {"job": job, "instance": instance}
            add("temperature", _gauge(draw, len(times)), target, keep=0.95)
            for code in ("200", "500"):
                add("requests_total", _counter(draw, len(times), 40), {**target, "code": code})
                add("flag", [float(draw.random() < 0.5) for _ in times], {**target, "code": code})
            rises = [_counter(draw, len(times), 12, resets=False) for _ in range(4)]
            for place, bound in enumerate(("0.25", "1", "2.5", "+Inf")):
                counts = [sum(one) for one in zip(*rises[: place + 1], strict=True)]
                add("latency_bucket", counts, {**target, "le": bound})
    for instance in "0123":
        made.append((Labels(__name__="gappy", instance=instance), _with_gaps(draw, times)))
    for kind, choices in _ODD.items():
        add("odd", [draw.choice(choices) for _ in times], {"kind": kind})
    return made


_ODD: Final = {
    "infinite": (math.inf, 1.0, 2.0),
    "nan": (math.nan,),
    "mixed": (math.nan, math.inf, -math.inf, 0.0, -0.0, 3.25),
    "whole": (0.0, 1.0, -1.0, 2.0),
}


def _counter(draw: random.Random, length: int, most: int, *, resets: bool = True) -> list[float]:
    values, value, since = [], 700.0 + draw.randrange(2000), 0
    for _ in range(length):
        values.append(value)
        since += 1
        value += draw.randrange(4 * most) / 4
        if resets and since > 30 and draw.random() < 0.03:
            value, since = 700.0, 0
    return values


def _gauge(draw: random.Random, length: int) -> list[float]:
    return [draw.randrange(-200, 400) / 4 for _ in range(length)]


def _with_gaps(draw: random.Random, times: list[int]) -> list[tuple[int, float]]:
    """Samples with gaps of up to eight minutes between them; most begin with a marker that the series has ended."""
    filled = dict(zip(times, _gauge(draw, len(times)), strict=True))
    at = draw.randrange(20, 50)
    while at < len(times):
        length = draw.randrange(4, 48)
        for time in times[at : at + length]:
            del filled[time]
        if draw.random() < 0.6:
            filled[times[at]] = STALE_NAN
        at += length + draw.randrange(15, 60)
    return sorted(filled.items())


# --- texts of their own ---

LABELS: Final = ("job", "instance", "code", "kind", "le", "absent")
_SELECTORS: Final = (
    "temperature", "limit", "flag", "gappy", "other_total", "requests_total", 'requests_total{code="200"}',
    'requests_total{job=~"a|c"}', 'requests_total{code!="500",instance="0"}', 'temperature{job!~"a.*"}', 'temperature{instance=~".+"}',
    'flag{job="a",nosuch=""}', "nosuch", '{__name__="limit"}', '{__name__=~"lim.*|flag",job="a"}', "gappy{instance!='0'}", 'build{version=~"1\\\\.(a|b)"}',
    "latency_bucket", 'latency_bucket{le="+Inf"}',
)  # fmt: skip
_COUNTERS: Final = (
    "requests_total", "other_total", "late_total", "late_total", 'requests_total{code="200"}', 'requests_total{job="a",instance=~"0|1"}', "latency_bucket",
)  # fmt: skip
_ODD_SELECTORS: Final = ("odd", 'odd{kind="mixed"}', 'odd{kind!="nan"}')
_NUMBERS: Final = ("0", "1", "2", "0.5", "-3", "1e2", "10", "0x10", "+5", "40")
_RANGES: Final = ("30s", "1m", "90s", "2m30s", "5m", "10m", "1h", "3s", "17s", "100ms")
_OFFSETS: Final = ("", "", "", "", "", " offset 1m", " offset -30s", " offset 5m", f" @ {T0 + 700}.5", " @ end()", " @ start()",
                   f" @ {T0 + 900}.5 offset 2m", " offset 47s @ end()")  # fmt: skip

RANGES: Final = st.sampled_from(_RANGES)
OFFSETS: Final = st.sampled_from(_OFFSETS)


def numbers(depth: int) -> Expressions:
    """Numbers that come out the same to the last bit."""
    plain = st.sampled_from((*_NUMBERS, "NaN", "Inf", "-Inf")) | st.just("time()")
    if not depth:
        return plain
    below = numbers(depth - 1)
    return st.one_of(
        plain,
        plain,
        _join("(", below, st.sampled_from((" + ", " - ", " * ", " / ", " % ", " > bool ", " == bool ", " <= bool ")), below, ")"),
        _join("scalar(", vectors(depth - 1, exact=True), ")"),
        _join("-", below),
    )  # fmt: skip


def selectors() -> Expressions:
    return _join(st.sampled_from(_SELECTORS), OFFSETS)


def subqueries(depth: int, *, exact: bool, counters: bool = False) -> Expressions:
    """The steps of the outermost ones are at multiples of a second or more. Those within them look from three seconds
    beside, or both kinds of edges would meet."""
    inner = _join(st.sampled_from(_COUNTERS), OFFSETS) if counters else vectors(depth, exact=exact)
    return _join(
        "(",
        inner,
        ")[",
        st.sampled_from(("40s", "2m", "5m", "10m")),
        ":",
        st.sampled_from(("", "10s", "20s", "30s", "1m")),
        "]",
        st.sampled_from(("", " offset 3s", " offset 63s", f" @ {T0 + 813}.5")) if depth > 2 else st.sampled_from((" offset 3s", " offset 53s")),
    )  # fmt: skip


def matrices(depth: int, *, exact: bool) -> Expressions:
    plain = _join(st.sampled_from(_SELECTORS), "[", RANGES, "]", OFFSETS)
    return st.one_of(plain, plain, subqueries(depth - 1, exact=exact)) if depth else plain


def counters(depth: int) -> Expressions:
    plain = _join(st.sampled_from(_COUNTERS), "[", RANGES, "]", OFFSETS)
    return st.one_of(plain, plain, plain, subqueries(depth, exact=True, counters=True))


def vectors(depth: int, *, exact: bool) -> Expressions:
    """Vectors, of no more than *depth* operations within each other."""
    if not depth:
        return selectors()
    below = st.deferred(lambda: _smooth(depth) | _jumping(depth) | _sound(depth))
    surely = st.deferred(lambda: _sound(depth) | _jumping(depth))
    return surely if exact else below


def _sound(depth: int) -> Expressions:
    """Operations that lose nothing."""
    inner = vectors(depth - 1, exact=True)
    ranges = matrices(depth - 1, exact=True)
    return st.one_of(
        selectors(),
        _join(_choice("abs", "sqrt"), "(", inner, ")"),
        _join(_choice("min", "max", "count", "group"), _grouping(), "(", inner, ")"),
        _join("sum", _grouping(), "(", selectors(), ")"),
        _join("quantile", _grouping(), "(", _choice("0", "0.5", "0.25", "1", "0.9", "2", "-1"), ", ", inner, ")"),
        _join("(", inner, _choice(" + ", " - ", " * ", " / "), numbers(depth - 1), ")"),
        _join("(", numbers(depth - 1), _choice(" + ", " - ", " * ", " / "), inner, ")"),
        _arithmetic(inner, _choice(" + ", " - ", " * ", " / ")),
        _join("-", selectors()),
        _join("(", inner, _choice(" and ", " or ", " unless "), _pairing(), inner, ")"),
        _join(_choice("min_over_time", "max_over_time", "count_over_time", "last_over_time", "present_over_time", "idelta"),
              "(", ranges, ")"),
        _join("quantile_over_time(", _choice("0", "0.5", "0.75", "1", "1.5"), ", ", ranges, ")"),
        _join(_choice("clamp_min", "clamp_max"), "(", inner, ", ", numbers(depth - 1), ")"),
        _join("clamp(", inner, ", ", numbers(0), ", ", numbers(0), ")"),
        _join("absent(", inner, ")"),
        _join("absent_over_time(", ranges, ")"),
        _join("vector(", numbers(depth - 1), ")"),
        _join("timestamp(", selectors(), ")"),
        _join(_choice("sort", "sort_desc"), "(", inner, ")"),
        _join("label_replace(", inner, ', "', _choice("job", "new", "instance"), '", "', _choice("$1", "x-$1", "", "${1}y"),
              '", "', _choice("job", "code", "instance"), '", "', _choice("(.*)", "(a|b)", "(.)00", "a(.*)"), '")'),
        _join("label_join(", inner, ', "new", "-", "job", "', _choice("instance", "nosuch"), '")'),
    )  # fmt: skip


def _jumping(depth: int) -> Expressions:
    """What a last bit would change."""
    inner = vectors(depth - 1, exact=True)
    ranges = matrices(depth - 1, exact=True)
    compare = _choice(" == ", " != ", " > ", " < ", " >= ", " <= ")
    flagged = _choice(" == bool ", " != bool ", " > bool ", " < bool ", " >= bool ", " <= bool ")
    return st.one_of(
        _join(_choice("ceil", "floor", "sgn"), "(", inner, ")"),
        _join("round(", inner, ")"),
        _join("round(", inner, ", ", _choice("0.5", "10", "0.25", "4"), ")"),
        _join("(", inner, compare | flagged, numbers(depth - 1), ")"),
        _join("(", numbers(depth - 1), compare | flagged, inner, ")"),
        _arithmetic(inner, compare, free=False),
        _arithmetic(inner, flagged),
        _join("(", inner, " % ", _choice("7", "0.75", "-3", "0", "Inf"), ")"),
        _join(_choice("changes", "resets"), "(", ranges, ")"),
        _join("count_values", _grouping(most=2), '("', _choice("value", "job"), '", ', inner, ")"),
        _join("count(", _choice("topk", "bottomk"), "(", _choice("1", "2", "3", "0"), ", ", inner, "))"),
        _join("sum", _grouping(), "(", _choice("topk", "bottomk"), "(2, temperature))"),
        _join(_choice("minute", "hour", "month", "year", "day_of_week", "day_of_month", "day_of_year", "days_in_month"),
              "(", _choice("", "seconds", "seconds offset 3m", "vector(time())"), ")"),
    )  # fmt: skip


def _smooth(depth: int) -> Expressions:
    """What may differ in the last bits, and does no harm by it."""
    inner = vectors(depth - 1, exact=False)
    ranges = matrices(depth - 1, exact=True)
    finite = _join(_choice("temperature", "requests_total", "gappy", "flag"), "[", RANGES, "]", OFFSETS)
    return st.one_of(
        _join(_choice("rate", "increase", "irate"), "(", counters(depth - 1), ")"),
        _join("sum", _grouping(), "(", _choice("rate", "increase"), "(", counters(depth - 1), "))"),
        _join(_choice("delta", "deriv", "sum_over_time", "avg_over_time"), "(", finite, ")"),
        _join(_choice("stddev_over_time", "stdvar_over_time"), "(", finite, ")"),
        _join("predict_linear(gappy[", RANGES, "]", _choice("", " offset 1m", " offset -30s"), ", ", _choice("60", "-30", "3600"), ")"),
        _join("holt_winters(", finite, ", ", _choice("0.5", "0.3"), ", ", _choice("0.1", "0.9"), ")"),
        _join(_choice("sum_over_time", "avg_over_time"), "(", ranges, ")"),
        _join(_choice("sum", "avg", "min", "max"), _grouping(), "(", inner, ")"),
        _join(_choice("stddev", "stdvar"), _grouping(), "(", selectors(), ")"),
        _join("histogram_quantile(", _choice("0.5", "0.9", "0.99", "0", "1", "1.2", "NaN"), ", ",
              _choice("", "sum by (le) ", "sum by (le, job) ", "sum without (instance) "), "(rate(latency_bucket[", RANGES, "])))"),
        _join("histogram_quantile(", _choice("0.5", "0.9"), ", latency_bucket", OFFSETS, ")"),
        _join(_choice("exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh",
                      "acosh", "atanh", "deg", "rad"), "(", vectors(depth - 1, exact=True), ")"),
        _join("(", inner, _choice(" + ", " * ", " / "), _choice("2", "100", "0.5", "pi()"), ")"),
        _join("(", _choice("2", "0.5", "-2"), "^", _choice("temperature", "flag", "limit", "(flag - 1)"), ")"),
        _join('(temperature ^ on (job, instance) (flag{code="200"} + 1))'),
        _join('sum by (job) (temperature atan2 on (job, instance) flag{code="500"})'),
        _arithmetic(vectors(depth - 1, exact=False), _choice(" + ", " * ")),
    )  # fmt: skip


def odd_vectors() -> Expressions:
    """NaN and infinities, where all versions agree what becomes of them."""
    selector = _join(st.sampled_from(_ODD_SELECTORS), OFFSETS)
    ranges = _join(st.sampled_from(_ODD_SELECTORS), "[", RANGES, "]", OFFSETS)
    return st.one_of(
        selector,
        _join(_choice("abs", "ceil", "floor", "sgn", "round", "exp", "ln", "sqrt", "sin", "atan", "atanh", "acosh", "-"), "(", selector, ")"),
        _join(_choice("sum", "avg", "min", "max", "count", "group"), _grouping(), "(", selector, ")"),
        _join(_choice("topk", "bottomk"), "(", _choice("1", "2", "3"), ", ", selector, ")"),
        _join("quantile(", _choice("0", "0.5", "1", "NaN"), ", ", selector, ")"),
        _join('count_values("value", ', selector, ")"),
        _join("(", selector, _choice(" + ", " - ", " * ", " / ", " % ", " ^ ", " == ", " != ", " > bool ", " <= "), _choice("0", "1", "-2.5", "Inf", "NaN"), ")"),
        _join("(", selector, _choice(" + ", " - ", " * ", " / ", " % ", " ^ ", " == ", " != bool ", " > "), selector, ")"),
        _join(_choice("min_over_time", "max_over_time", "last_over_time", "changes", "resets", "count_over_time", "idelta", "irate"), "(", ranges, ")"),
        _join(_choice("sum_over_time", "avg_over_time"), "(", ranges, ")"),
        _join("quantile_over_time(0.5, ", ranges, ")"),
        _join("clamp(", selector, ", -1, 2)"),
    )  # fmt: skip


def expressions() -> Expressions:
    """What a query may be."""
    return st.one_of(
        _join(_choice("rate", "increase", "irate"), "(", counters(2), ")"),
        _smooth(1),
        vectors(1, exact=False),
        vectors(2, exact=False),
        vectors(3, exact=False),
        odd_vectors(),
        numbers(2),
        _join(
            _choice("topk", "bottomk"),
            _grouping(),
            "(",
            _choice("1", "2", "5", "scalar(limit{job='b'})"),
            ", temperature)",
        ),
        _bare_chain(),
    )


def _bare_chain() -> Expressions:
    """Operators without parentheses: who binds first?"""
    operand = _choice("limit", "other_total", "2", "3", "-2", "-limit", "time()", "10 % 4", "sum by (job) (flag)")
    sign = _choice("+", "-", "*", "/", "%", "^", "^ -", "== bool", "> bool")
    chain = _join(operand, " ", sign, " ", operand, " ", sign, " ", operand)
    return st.one_of(
        chain, _join(chain, _choice(" and limit", " unless limit > 30", " or limit", " or flag and flag == 1"))
    )


def _arithmetic(inner: Expressions, sign: Expressions, *, free: bool = True) -> Expressions:
    """Two vectors. Half of them surely match, all of them where they are not to be combined freely."""
    by = _choice("job", "job, instance", "instance")
    sure = by.flatmap(
        lambda names: _join(
            f"(sum by ({names}) (", selectors(), ")", sign, f"on ({names}) sum by ({names}) (", selectors(), "))"
        )
    )
    many = _join(
        "(requests_total", sign, "on (job) group_left(", _choice("", "version"), ") ", _choice("build", "limit"), ")"
    )
    one = _join("(limit", sign, "on (job) group_right() ", _choice("flag", "temperature", "requests_total"), ")")
    return st.one_of(sure, many, one, _join("(", inner, sign, _pairing(), inner, ")")) if free else sure | many | one


def _pairing() -> Expressions:
    names = _names()
    return st.one_of(
        st.just(""),
        _join("on (", names, ") "),
        _join("ignoring (", names, ") "),
    )


def _grouping(most: int = 3) -> Expressions:
    return st.one_of(st.just(""), _join(" by (", _names(most), ") "), _join(" without (", _names(most), ") "))


def _names(most: int = 3) -> Expressions:
    return st.lists(st.sampled_from(LABELS), max_size=most, unique=True).map(", ".join)


def _choice(*texts: str) -> Expressions:
    return st.sampled_from(texts)


def _join(*parts: str | Expressions) -> Expressions:
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map("".join)
