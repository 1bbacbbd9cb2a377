"""Rules are read again while Dozor works."""

import logging
from pathlib import Path

import pytest

from dozor.errors import ConfigurationError
from dozor.model.rule import RuleChanges
from dozor.reloading import Reloader, in_words
from dozor.rules import RuleSet, RuleSource, load_rules
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

GOOD = "groups: [{name: a, rules: [{alert: Down, expr: up == 0}]}]"
BETTER = "groups: [{name: a, rules: [{alert: Gone, expr: up == 0}]}]"
BROKEN = "groups: [{name: a, rules: [{alert: Down, expr: up ==}]}]"


class Desk:
    """Who takes the rules."""

    def __init__(self, file: Path) -> None:
        self.file, self.clock = file, FakeClock()
        file.write_text(GOOD)
        self.source = RuleSource([file], load_rules)
        self.taken: list[RuleSet] = []
        self.reloader = Reloader(self.source, self.take, self.clock)

    def take(self, rules: RuleSet) -> RuleChanges:
        self.taken.append(rules)
        return RuleChanges(len(rules.rules), added=("Gone",))

    @property
    def figures(self) -> dict[str, float]:
        return {family.name: family.samples[0].value for family in self.reloader.families()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "rules.yml")


async def test_a_changed_file_is_read_once_it_is_no_longer_written_to(desk: Desk) -> None:
    await desk.reloader.watch()
    await desk.reloader.watch()
    assert desk.taken == []
    desk.file.write_text(BROKEN)
    await desk.reloader.watch()
    desk.file.write_text(BETTER)
    await desk.reloader.watch()
    assert desk.taken == []
    await desk.reloader.watch()
    assert [rules.named("Gone") != () for rules in desk.taken] == [True]
    assert desk.source.rules is desk.taken[0]
    await desk.reloader.watch()
    assert len(desk.taken) == 1


async def test_a_broken_file_keeps_the_old_rules_and_is_complained_of_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    before, began = desk.source.rules, desk.clock.timestamp()
    assert desk.figures == {"dozor_rules_reload_success": 1.0, "dozor_rules_reload_timestamp_seconds": began}
    desk.file.write_text(BROKEN)
    desk.clock.advance(60)
    for _ in range(5):
        await desk.reloader.watch()
    with pytest.raises(ConfigurationError):
        await desk.reloader.reload()
    assert (desk.taken, desk.source.rules) == ([], before)
    (complaint,) = desk.reloader.complaints()
    assert "rules.yml:1: groups[0].rules[0].expr" in complaint
    assert desk.figures == {"dozor_rules_reload_success": 0.0, "dozor_rules_reload_timestamp_seconds": began}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    desk.file.write_text(BETTER)
    await desk.reloader.reload()
    assert desk.reloader.complaints() == []
    assert desk.figures["dozor_rules_reload_timestamp_seconds"] == began + 60


async def test_a_file_that_is_gone_keeps_the_old_rules(desk: Desk) -> None:
    desk.file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await desk.reloader.reload()
    desk.file.write_text(GOOD)
    await desk.reloader.watch()
    await desk.reloader.watch()
    assert len(desk.taken) == 1


async def test_rules_in_code_alone_are_not_watched() -> None:
    source = RuleSource([], load_rules)
    assert not Reloader(source, lambda rules: RuleChanges(len(rules.rules)), FakeClock()).watches


async def test_what_has_changed_is_said_in_words() -> None:
    assert in_words(RuleChanges(3)) == "3 rules in force; nothing has changed"
    changes = RuleChanges(3, ("A",), ("B", "C"), ("D",))
    assert in_words(changes) == "3 rules in force; new: A; changed: B, C; gone: D"
