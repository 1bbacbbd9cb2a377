"""Where rules come from."""

import os
from pathlib import Path

import pytest

from dozor.errors import RuleError
from dozor.rules import Rule, RuleSource, load_rules

TEXT = "groups: [{name: a, rules: [{alert: %s, expr: up == 0}]}]"


def test_it_is_read_again_as_it_is_written_now(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(TEXT % "Down")
    source = RuleSource([file, Rule("Mine", "up == 0")], load_rules)
    assert source.rules.named("Down")
    file.write_text(TEXT % "Gone")
    again = source.read()
    assert again.named("Gone")
    assert again.named("Mine")
    assert not source.rules.named("Gone")


def test_it_looks_different_after_every_write(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(TEXT % "Down")
    source = RuleSource([str(file)], load_rules)
    looks = {source.fingerprint, source.look()}
    assert len(looks) == 1
    os.utime(file, ns=(1, 1))
    looks.add(source.look())
    other = tmp_path / "other.yml"
    other.write_text(TEXT % "Gone")
    os.utime(other, ns=(1, 1))
    other.replace(file)
    looks.add(source.look())
    file.unlink()
    looks.add(source.look())
    assert len(looks) == 4
    assert source.look() == (None,)


def test_a_mistake_says_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(TEXT % "Down")
    source = RuleSource([file], load_rules)
    file.write_text("groups:\n- name: a\n  rules:\n  - alert: Down\n    expr: up ==\n")
    with pytest.raises(RuleError, match=r"rules\.yml:5: groups\[0\]\.rules\[0\]\.expr"):
        source.read()
