"""Prometheus' templates: what Go and Prometheus would write, and never an exception."""

import math
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import examples

from dozor.rules.template import Template, TemplateContext, TemplateError
from dozor.rules.template_functions import FUNCTIONS, QueryResult

RESULTS = (QueryResult({"instance": "b", "x": "1"}, 3.5), QueryResult({"instance": "a"}, 11.0))


def query(expr: str) -> Sequence[QueryResult]:
    if expr == "none":
        return ()
    if expr == "broken":
        raise ValueError("cannot be parsed")
    return RESULTS


def expand(text: str, value: float = 1234567.0, **labels: str) -> str:
    context = TemplateContext(
        labels or {"pool": "main", "job": "web"}, value, 1_800_000_000.0, query, "http://h:9090/p"
    )
    return Template(text).expand(context)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ $labels.pool }}", "main"),
        ("{{$labels.pool}}/{{.Labels.job}}", "main/web"),
        ("{{ $labels.missing }}|", "|"),
        ("{{ $labels }}", "map[job:web pool:main]"),
        ("{{ $value }}", "1.234567e+06"),
        ("{{ .Value }}", "1.234567e+06"),
        ("{{ $.Value }}", "1.234567e+06"),
        ("{{ $externalURL }}{{ pathPrefix }}", "http://h:9090/p/p"),
        ("{{ $externalLabels.x }}", ""),
        ("a {{- /* comment */ -}} b", "ab"),
        ("a{{/* comment */}}b", "ab"),
        ("a  {{- ` x ` -}}  b", "a x b"),
        ('{{ "quoted\\n" }}', "quoted\n"),
        ("{{ 'a' }} {{ 0x10 }} {{ -3 }} {{ 1.50 }} {{ true }}", "97 16 -3 1.5 true"),
        # pipelines and functions
        ('{{ printf "%.2f" $value }}', "1234567.00"),
        ('{{ $value | printf "%.0f" }}', "1234567"),
        ('{{ printf "%s-%d-%v-%q" "a" 3 1.5 "q" }}', 'a-3-1.5-"q"'),
        ('{{ printf "%5d|%-5d|%05d|%+d|%x|%t" 42 42 42 42 255 true }}', "   42|42   |00042|+42|ff|true"),
        ('{{ printf "%d" $value }}', "%!d(float64=1.234567e+06)"),
        ('{{ printf "%s" }}', "%!s(MISSING)"),
        ('{{ printf "a" 1 }}', "a%!(EXTRA int=1)"),
        ('{{ printf "100%%" }}', "100%"),
        ('{{ print "a" 1 2 "b" }}', "a1 2b"),
        ("{{ $value | humanize }}", "1.235M"),
        ("{{ ($labels.pool | toUpper) }}", "MAIN"),
        ("{{ (.Labels).pool | title | len }}", "4"),
        ('{{ "HELLO" | toLower | title }}', "Hello"),
        ('{{ "up > 1" | graphLink }}', "/graph?g0.expr=up+%3E+1&g0.tab=0"),
        ('{{ "up" | tableLink }}', "/graph?g0.expr=up&g0.tab=1"),
        ('{{ reReplaceAll "(.*):(.*)" "$2-${1}" "a:b" }}', "b-a"),
        ('{{ match "a.c" "xabcx" }} {{ match "^b" "abc" }}', "true false"),
        ('{{ stripPort "h:80" }} {{ stripPort "[::1]:80" }} {{ stripPort "h" }}', "h ::1 h"),
        ('{{ stripDomain "h.example.org:80" }} {{ stripDomain "10.0.0.1:80" }}', "h:80 10.0.0.1:80"),
        ('{{ parseDuration "1h30m" }} {{ now }}', "5400 1.8e+09"),
        ("{{ 1800000000.5 | humanizeTimestamp }}", "2027-01-15 08:00:00.5 +0000 UTC"),
        ('{{ html "<b>" }} {{ urlquery "a b" }} {{ safeHtml "<b>" }}', "&lt;b&gt; a+b <b>"),
        ('{{ index $labels "pool" }} {{ slice "abcdef" 1 3 }} {{ slice "abc" 1 }}', "main bc bc"),
        ('{{ with args 1 "b" }}{{ .arg0 }}{{ .arg1 }}{{ end }}', "1b"),
        # if, with, range
        ("{{ if $labels.pool }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if $labels.x }}yes{{ else }}no{{ end }}", "no"),
        ('{{ if eq $labels.pool "x" }}1{{ else if eq $labels.pool "main" }}2{{ else }}3{{ end }}', "2"),
        ("{{ if gt $value 10.0 }}high{{ end }}", "high"),
        ("{{ if and true (not false) (or 0 1) }}t{{ end }}", "t"),
        ('{{ if or (eq 1 2 3 1) (ne "a" "a") }}t{{ end }}', "t"),
        ("{{ and 1 0 }} {{ or 0 `` 2 }}", "0 2"),
        ("{{ with $labels.pool }}<{{ . }}>{{ end }}{{ with $labels.x }}x{{ else }}none{{ end }}", "<main>none"),
        ("{{ with $labels.x }}x{{ else with $labels.pool }}{{ . }}{{ end }}", "main"),
        ('{{ range query "up" }}{{ .Labels.instance }}={{ .Value }};{{ end }}', "b=3.5;a=11;"),
        ('{{ range query "none" }}x{{ else }}nothing{{ end }}', "nothing"),
        ('{{ range $i, $r := query "up" }}{{ $i }}:{{ $r.Value }} {{ end }}', "0:3.5 1:11 "),
        ("{{ range $k, $v := $labels }}{{ $k }}={{ $v }} {{ end }}", "job=web pool=main "),
        ('{{ range query "up" }}{{ if eq .Value 3.5 }}{{ continue }}{{ end }}{{ .Value }}{{ break }}{{ end }}', "11"),
        ('{{ query "up" | first | value }} {{ query "up" | first | label "instance" }}', "3.5 b"),
        ('{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}{{ end }}', "ab"),
        ('{{ with query "up" }}{{ . | first | value | humanize }}{{ end }}', "3.5"),
        ('{{ $s := "" }}{{ if true }}{{ $s = "s" }}{{ end }}thing{{ $s }}', "things"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
        ('{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" $labels.pool }}', "[main]"),
        ('{{ block "t" $value }}{{ . }}{{ end }}', "1.234567e+06"),
    ],
)
def test_a_template_says(text: str, expected: str) -> None:
    assert expand(text) == expected


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        ("humanize", 0.0, "0"), ("humanize", 999.0, "999"), ("humanize", 1e9, "1G"), ("humanize", 0.00012, "120u"),
        ("humanize", math.inf, "+Inf"), ("humanize", math.nan, "NaN"), ("humanize", -1500.0, "-1.5k"),
        ("humanize1024", 1048576.0, "1Mi"), ("humanize1024", 0.5, "0.5"), ("humanize1024", 1536.0, "1.5ki"),
        ("humanizeDuration", 0.0, "0s"), ("humanizeDuration", 0.12, "120ms"), ("humanizeDuration", 59.9, "59.9s"),
        ("humanizeDuration", 61.0, "1m 1s"), ("humanizeDuration", 3600.0, "1h 0m 0s"),
        ("humanizeDuration", -90061.0, "-1d 1h 1m 1s"), ("humanizeDuration", math.inf, "+Inf"),
        ("humanizePercentage", 0.1234, "12.34%"), ("humanizePercentage", -2.0, "-200%"),
    ],
)  # fmt: skip
def test_numbers_for_people(function: str, value: float, expected: str) -> None:
    assert expand(f"{{{{ $value | {function} }}}}", value) == expected


def test_numbers_as_text_are_numbers() -> None:
    assert expand('{{ "43200" | humanizeDuration }} {{ "1e3" | humanize }} {{ "5m" | humanizeDuration }}') == (
        "12h 0m 0s 1k 5m 0s"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ query `none` | first | value }}", "first() called on a vector with no elements"),
        ("{{ query `broken` }}", "query: cannot be parsed"),
        ("{{ value }}", "value: wrong number of arguments"),
        ("{{ humanize `abc` }}", "humanize: 'abc' is not a duration"),
        ("{{ if gt $value 1 }}{{ end }}", "incompatible types for comparison"),
        ("{{ $.labels.x }}", "there is no field labels"),
        ("{{ $value.x }}", "there is no field x"),
        ("{{ range $value }}{{ end }}", "range cannot go over"),
        ("{{ index $labels.pool 1 }}", "cannot index"),
        ("{{ reReplaceAll `(` `` `` }}", "malformed regular expression"),
        ("{{ define `t` }}{{ template `t` }}{{ end }}{{ template `t` }}", "call each other too deeply"),
        ("{{ range 20000 }}{{ range 20000 }}x{{ end }}{{ end }}", "too many steps"),
        ("{{ printf `%999d` 1 }}{{ range 9000 }}{{ printf `%99d` 1 }}{{ end }}", "longer than"),
    ],
)
def test_what_fails_becomes_text(text: str, reason: str) -> None:
    found = expand(text)
    assert found.startswith("<error expanding template: ")
    assert reason in found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{", "not closed"), ("{{ }}", "empty"), ("{{ $x }}", "undefined variable '$x'"),
        ("{{ $label.foo }}", "undefined variable '$label'"), ("{{ nope }}", "function 'nope' is not defined"),
        ("{{ if true }}", "not closed by {{ end }}"), ("{{ end }}", "unexpected {{end}}"), ("{{ else }}", "unexpected"),
        ("{{ if }}{{ end }}", "a value is missing"), ("{{ 1 2 }}", "only a function"), ("{{ 1 | 2 }}", "only a function"),
        ("{{ ( 1 }}", "not closed"), ("{{ ) }}", "missing"), ('{{ "a }}', "unexpected"), ("{{ 'ab' }}", "malformed"),
        ("{{ template `t` }}", "no template 't'"), ("{{ break }}", "outside of a range"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", "second else"), ("{{ $x = 1 }}", "undefined variable '$x'"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "undefined variable"), ("{{ ! }}", "unexpected '!'"),
        ("{{ if 1 }}{{ define `t` }}{{ end }}{{ end }}", "inside of another"), ("{{ $a, $b := 1 }}", "too many variables"),
        ("{{ (" * 200 + "1" + ")" * 200 + " }}", "unexpected"), ("{{ " + "(" * 99 + "1" + ")" * 99 + " }}", "levels deep"),
        ("{{ if 1 }}" * 50 + "{{ end }}" * 50, "levels deep"), ("x" * 70_000 + "{{ 1 }}", "longer than"),
    ],
)  # fmt: skip
def test_what_is_no_template_is_found_when_it_is_loaded(text: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(reason)):
        Template(text)


pieces = st.lists(
    st.sampled_from([
        "{{", "}}", "{{-", "-}}", " ", "$labels", "$value", ".Labels", ".", ".x", "if", "else", "end", "range", "with",
        "define", "template", "|", ":=", "=", ",", "(", ")", '"a"', "`b`", "'c'", "1", "1.5", "nil", "true", "$x", "$",
        "break", "continue", "/*", "*/", "text", *FUNCTIONS, "and", "or",
    ]),
    max_size=25,
).map(" ".join)  # fmt: skip
balanced = st.lists(
    st.sampled_from([
        "{{ $value | humanize }}", "{{ if $value }}", "{{ else }}", "{{ end }}", "{{ range query `x` }}", "{{ . }}",
        "{{ with $labels }}", "{{ $x := 1 }}", "{{ printf `%d %s` . }}", "{{ .Labels.a }}", "{{ index . 1 }}", "t",
    ]),
    max_size=12,
).map("".join)  # fmt: skip


@settings(deadline=None, max_examples=examples(250))
@given(st.one_of(pieces, balanced, st.text(), st.text().map(lambda text: f"{{{{ {text} }}}}")), st.floats())
def test_no_template_raises_anything_else(text: str, value: float) -> None:
    try:
        template = Template(text)
    except TemplateError:
        return
    assert isinstance(template.expand(TemplateContext({"a": "b"}, value, 0.0, query)), str)


@settings(deadline=None, max_examples=examples(250))
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(st.sampled_from(
    ["1", "-7", "1.5", "`a`", "`(`", "``", "nil", "true", "$labels", "$value", "$", "(query `up`)", "(query `none`)", "9999999999999", "1e300"]
), max_size=4), st.floats())  # fmt: skip
def test_no_function_raises_whatever_it_is_given(name: str, arguments: list[str], value: float) -> None:
    template = Template(f"{{{{ {name} {' '.join(arguments)} }}}}")
    assert isinstance(template.expand(TemplateContext({"a": "b"}, value, 0.0, query)), str)
