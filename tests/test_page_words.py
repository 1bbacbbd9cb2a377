"""What the server says in English, the page says in Russian, too: each sentence in the sources has its pattern in `ru-server.json`.

The sentences are found in the sources, so one that is added without a translation fails here. What a person wrote (a summary of a
rule of their own, a note) fits no pattern and stays as it is.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import hatch_build
import pytest
import yaml

import dozor

SOURCES: Final = Path(dozor.__file__).parent
WORDS: Final[dict[str, dict[str, str]]] = json.loads(
    (hatch_build.WEB / "src" / "ru-server.json").read_text(encoding="utf-8")
)

# Where sentences are made that the page shows: reasons, changes, explanations, advice, refusals.
MODULES: Final = (
    "overview/assess.py", "overview/changes.py", "overview/redis_memory.py", "alerts/explain.py",
    "alerts/transitions.py", "alerts/succession.py", "alerts/silencing.py", "alerts/lifecycle.py", "alerts/schedule.py",
    "alerts/conditions.py", "alerts/book.py", "instruments/connection_pool_monitor.py", "instruments/pool_wrap.py",
    "instruments/pool_advice.py", "instruments/connection_budget.py", "instruments/redis_failure.py",
    "duration.py", "store/matchers.py", "store/stats.py", "rules/check.py", "database/outbox.py", "notify/http.py", "notify/slack_api.py",
    "instruments/redis_group.py", "instruments/database_statistics.py", "instruments/database_statistics_monitor.py",
    "instruments/database_server_monitor.py", "reception.py",
    "overview/redis_topology.py", "instruments/query_planner.py", "instruments/query_plan.py", "instruments/own_cost.py", "instruments/workers.py",
    "database/worker.py", "database/journal.py", "keeping.py", "session.py", "reloading.py", "picture.py", "errors.py", "desk.py",
    "api/span.py", "api/auth.py", "api/live.py", "api/series.py", "api/silences.py", "api/parameters.py", "api/rules.py",
    "api/trials.py", "api/http.py",
)  # fmt: skip

# Strings with a blank in these modules that no person is shown: types, names of tasks, SQL, text that is looked for.
NOT_SAID: Final = re.compile(
    r"\| None|^dict\[|^\W*$|Engine \| |^\s*(PRAGMA|SELECT|SET LOCAL|PREPARE|EXPLAIN)\b|^extract\(|\| Merged|^cannot watch|^(unknown command|max number of clients|event loop)"
    r"|^(without any password configured|invalid password|no password is set|for 'auth' command)$"
    r"|^(journal's rest|heartbeat's connection|early collections|metrics server|rule files)$|^dozor page until"
    r"|^ (using|on) \{1\}$|^Parallel \{1\}$|^[A-Z]\w+( [A-Z][\w]+)+$|^One-Time Filter$|^TID Cond$|^CTE Name$|^\(cost="
    r"|^\{1\} \{2\}$|^(pool_size|max_overflow)=\S*(, max_overflow=\S*)?$|^\{1\} / \{2\} = \{3\}$|rate\(|^(duration|range|query|filter): \{1\}\.$|^Bearer |charset=|^line \{1\}: $"
)
QUIET: Final = {"debug", "info", "warning", "error", "exception", "critical", "Field", "Query", "Path", "Header", "Body", "compile",
                "family", "_family", "_gauge", "AppError", "contained", "guarded"}  # fmt: skip


_LETTERS: Final = re.compile("[a-z]{2}")
_PLACES: Final = re.compile(r"\{\d+\}")


def sentences(module: str) -> Iterator[str]:
    """The texts with a blank in *module* that may be shown, `{1}`, `{2}` … for what is filled in."""
    tree = ast.parse((SOURCES / module).read_text(encoding="utf-8"))
    hidden = set(_hidden(tree))
    for node in ast.walk(tree):
        if node in hidden:
            continue
        text = (
            node.value
            if isinstance(node, ast.Constant)
            else _template(node)
            if isinstance(node, ast.JoinedStr)
            else None
        )
        if (
            isinstance(text, str)
            and " " in text.strip()
            and _LETTERS.search(_PLACES.sub("", text))
            and not NOT_SAID.search(text)
        ):
            yield text


def _hidden(tree: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, logging, what describes the API, and the pieces of f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from (value for value in node.values if isinstance(value, ast.Constant))
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in QUIET:
                yield from ast.walk(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                yield from ast.walk(decorator)
        elif isinstance(node, ast.AnnAssign):
            yield from ast.walk(node.annotation)


def _template(node: ast.JoinedStr) -> str:
    count = iter(range(1, 100))
    return "".join(str(one.value) if isinstance(one, ast.Constant) else f"{{{next(count)}}}" for one in node.values)


Pattern = tuple["re.Pattern[str]", str]
PLACE: Final = re.compile(r"\{(\d)([rs]?)\}")


def _patterns(known: Mapping[str, str]) -> list[Pattern]:
    ordered = sorted(known, key=lambda key: -len(PLACE.sub("", key)))
    flags = re.IGNORECASE | re.DOTALL
    return [
        (re.compile(r"((?:(?![.?!] [a-z]).)*?)".join(map(re.escape, re.split(r"\{\d\}", key))), flags), known[key])
        for key in ordered
    ]


OF_RULES: Final = _patterns(WORDS["rules"])
OF_ALL: Final = [pattern for group in WORDS.values() for pattern in _patterns(group)]


def worded(text: str, known: Sequence[Pattern] = OF_ALL) -> str:
    """As the page's `worded` (web/src/core/i18n.ts) does it."""
    bare = re.sub(r"[.;]$", "", text)
    for pattern, russian in known:
        if (found := pattern.fullmatch(bare)) is not None:
            return PLACE.sub(partial(_filled, found), russian) + text[len(bare) :]
    parts = re.split(r"(?<=[.?!;]) (?=\S)", text)
    return " ".join(worded(part, known) for part in parts) if len(parts) > 1 else text


def _filled(found: "re.Match[str]", place: "re.Match[str]") -> str:
    value = found[int(place[1])]
    return worded(value, OF_RULES if place[2] == "r" else OF_ALL) if place[2] else value


def is_russian(text: str, places: int) -> bool:
    """Whether *text* is all translated and nothing that was filled in is lost."""
    letters = re.findall("[а-яё]", text, re.IGNORECASE)
    return bool(letters) and all(f"§{number}§" in text for number in range(1, places + 1))


@pytest.mark.parametrize("module", MODULES)
def test_each_sentence_of_the_server_has_its_russian(module: str) -> None:
    missing = []
    for text in sentences(module):
        places = len(re.findall(r"\{\d+\}", text))
        sample = re.sub(r"\{(\d+)\}", r"§\1§", text).strip()
        if not is_russian(worded(sample), places):
            missing.append(text)
    assert missing == []


def _rules() -> Iterator[tuple[str, str, str]]:
    for source in sorted((SOURCES / "rules" / "builtin").glob("*.yml")):
        for group in yaml.safe_load(source.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                said: dict[str, Any] = rule.get("annotations", {})
                for name in ("summary", "description"):
                    if name in said:
                        yield f"{rule['alert']}-{name}", said[name].strip(), said[f"{name}_ru"].strip()


@pytest.mark.parametrize(("english", "russian"), [pytest.param(*texts, id=name) for name, *texts in _rules()])
def test_what_the_default_rules_say_has_the_russian_that_messages_have(english: str, russian: str) -> None:
    values: dict[str, str] = {}

    def filled(text: str) -> str:
        return re.sub(
            r"\{\{.*?\}\}",
            lambda place: values.setdefault(" ".join(place[0].split()), f"§{len(values)}§"),
            text,
            flags=re.DOTALL,
        )

    assert worded(filled(english), OF_RULES) == filled(russian)


def test_help_of_the_metrics_that_the_page_shows_has_its_russian() -> None:
    shown = "|".join(
        re.findall(r"wanted=\{/(.*?)/\}", (hatch_build.WEB / "src" / "pages" / "settings.tsx").read_text("utf-8"))
    )
    listed = (hatch_build.PROJECT / "docs" / "guides" / "metrics.md").read_text(encoding="utf-8")
    helps = [
        text for name, text in re.findall(r"(?m)^\| `(dozor_\w+)` \| .* \| (.+) \|$", listed) if re.match(shown, name)
    ]
    assert len(helps) > 5
    assert [text for text in helps if not is_russian(worded(text), 0)] == []


@pytest.mark.parametrize(
    "written",
    [
        "Payment fails: timeout",
        "Redis is being moved; ask Ann",
        "Pool of the shop: too small?",
        "Backup has ended after 3 h",
        "pending",
    ],
)
def test_what_a_person_wrote_in_a_rule_stays_as_it_is(written: str) -> None:
    assert worded(written, OF_RULES) == written
    reason = worded(f"{written} (Backups, firing for 3 min, acknowledged).")
    assert reason == f"{written} (Backups, горит 3 min, принято)."


def test_each_place_of_a_pattern_is_one_digit_and_stands_in_the_russian() -> None:
    for english, russian in [pair for group in WORDS.values() for pair in group.items()]:
        places = re.findall(r"\{(\d+)\}", english)
        assert places == [str(number) for number in range(1, len(places) + 1)], english
        assert set(PLACE.findall(russian)) <= {(place, kind) for place in places for kind in ("", "r", "s")}, russian
