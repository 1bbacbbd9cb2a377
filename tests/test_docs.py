"""The docs keep up with the code: every rule has its page, every setting its line, every link its target."""

import re
import tomllib
from pathlib import Path

import pytest
from yaml import safe_load

from dozor.demo.faults import FAULTS, Fault
from dozor.duration import format_duration
from dozor.rules import builtin_groups
from dozor.rules.alerting import AlertingRule
from dozor.rules.known_metrics import OWN
from dozor.rules.rulefile import parse_rules
from dozor.settings.record import KEYS

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
RULES = [rule for group in builtin_groups() for rule in group.rules if isinstance(rule, AlertingRule)]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_default_rule_has_a_page_that_agrees_with_it(rule: AlertingRule) -> None:
    page = (ROOT / "docs/rules" / f"{rule.name}.md").read_text()
    facts = dict(re.findall(r"^\| ([a-z ]+) \| (.*) \|$", page, re.MULTILINE))
    assert page.startswith(f"# {rule.name}\n")
    assert facts["for"].startswith(format_duration(rule.for_seconds) if rule.for_seconds else "at once")
    assert rule.severity is not None
    assert facts["severity"].startswith(rule.severity.value.lower())
    told = re.findall(r"\[(\w+)\]", facts.get("kept quiet by", ""))
    assert sorted(told) == sorted(inhibitor.rule for inhibitor in rule.directives.inhibited_by)
    assert f"({rule.name}.md)" in (ROOT / "docs/rules/README.md").read_text()


def test_no_page_describes_a_rule_that_is_not_there() -> None:
    pages = {page.stem for page in (ROOT / "docs/rules").glob("*.md")} - {"README"}
    assert pages == {rule.name for rule in RULES}


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_each_setting_is_described(key: object) -> None:
    variable = key.variable.removesuffix("_PORT")  # type: ignore[attr-defined]
    assert f"`{variable}" in (ROOT / "docs/guides/configuration.md").read_text()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_each_fault_of_the_demo_stands_beside_the_address_that_it_names(fault: Fault) -> None:
    rows = [
        line for line in (ROOT / "docs/guides/which-line.md").read_text().splitlines() if f"`{fault.name}` |" in line
    ]
    assert any(f"`{fault.look.removeprefix('/api/v1/monitoring/')}`" in row for row in rows)


def test_rules_in_the_guides_are_rules() -> None:
    examples = re.findall(r"```yaml\n(groups:.*?)```", (ROOT / "docs/guides/rules.md").read_text(), re.DOTALL)
    assert examples
    for example in examples:
        assert safe_load(example)
        assert parse_rules(example, "rules.md")


def test_both_languages_of_the_readme_show_the_same_commands() -> None:
    english, russian = ((ROOT / name).read_text() for name in ("README.md", "README.ru.md"))
    blocks = [re.findall(r"```console\n(.*?)```", text, re.DOTALL) for text in (english, russian)]
    assert blocks[0] == blocks[1]
    links = [set(LINK.findall(text)) - {"README.md", "README.ru.md"} for text in (english, russian)]
    assert links[0] == links[1]


def test_the_layers_drawn_are_those_that_are_checked() -> None:
    drawn = re.search(r"## Layers.*?```\n(.*?)\n```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)
    assert drawn is not None
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    # In parentheses: a package that may be there.
    checked = [re.sub(r" \| \(\w+\)", "", layer) for layer in contracts[0]["layers"]]
    assert drawn[1].splitlines() == checked


ROUTES = (
    "pool/status pool/metrics pool/statistics pool/slow-queries redis/status redis/metrics redis/info redis/slow-log "
    "alerts/active alerts/history alerts/statistics alerts/rules alerts/{id}/acknowledge alerts/{id}/silence "
    "alerts/{id}/resolve alerts/{id} alerts/{id}/notes silences silences/{id} silences/preview channels channels/{name}/test "
    "notifications notifications/{id}/retry notifications/retry system/health metrics/all dashboard/overview stream series dashboard/changes annotations /health /livez /readyz /metrics"
)


def test_the_guide_to_the_api_names_every_route() -> None:
    guide = (ROOT / "docs/guides/http-api.md").read_text()
    assert [route for route in ROUTES.split() if f"{route}`" not in guide] == []


def test_the_list_of_metrics_has_each_that_there_can_be_and_no_other() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \|", (ROOT / "docs/guides/metrics.md").read_text(), re.MULTILINE
    )
    listed = set()
    for name, kind in rows:
        listed |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    assert listed == OWN
    assert len(rows) == len(dict(rows))
