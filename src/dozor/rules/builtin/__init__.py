"""The default rules, as rule files: one for each watched thing."""

from functools import cache
from importlib.resources import files

from dozor.rules.group import RuleGroup
from dozor.rules.rulefile import parse_rules


@cache
def builtin_groups() -> tuple[RuleGroup, ...]:
    """The groups of the default rules."""
    folder = files(__name__)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yml"))
    return tuple(
        group for name in names for group in parse_rules((folder / name).read_text("utf-8"), f"builtin/{name}")
    )
