"""`dozor notify test`: a message to a real receiver, from the settings alone."""

import json
from pathlib import Path

import pytest
from tests.cli.command import one_message, run
from tests.cli.conftest import Dozor, problem


@pytest.fixture
def settings(tmp_path: Path, dozor: Dozor) -> Path:
    """A folder whose dozor.toml has channels that lead to `POST hook` of *dozor*."""
    (tmp_path / "dozor.toml").write_text(
        f'name = "shop"\n[channels.ops]\ntype = "webhook"\nurl = "{dozor.url}/s3cret-path"\n', encoding="utf-8"
    )
    return tmp_path


def test_the_message_arrives_and_says_that_it_is_a_test(settings: Path, dozor: Dozor) -> None:
    dozor.answers["POST /s3cret-path"] = {}
    ended = run("notify", "test", "ops", cwd=settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("ops took the test message, in ")
    [sent] = dozor.sent("POST")
    assert sent.body is not None
    [alert] = sent.body["alerts"]
    assert alert["labels"]["alertname"] == "DozorTest"
    assert alert["labels"]["service"] == "shop"
    assert "test" in alert["annotations"]["summary"]


def test_in_the_language_asked_for_and_for_programs(settings: Path, dozor: Dozor) -> None:
    dozor.answers["POST /s3cret-path"] = {}
    ended = run("notify", "test", "ops", "--locale", "ru", "--json", cwd=settings)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["delivered"] is True
    assert "проверка" in json.dumps(dozor.sent("POST")[0].body, ensure_ascii=False)


def test_a_channel_that_does_not_take_it_is_status_1_and_no_secret(settings: Path, dozor: Dozor) -> None:
    dozor.answers["POST /s3cret-path"] = problem(500, "out of order")
    ended = run("notify", "test", "ops", cwd=settings)
    assert ended.returncode == 1
    message = one_message(ended)
    assert "answered 500" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["slack"], "there is no channel 'slack'; those of the settings are ops."), (["ops", "--locale", "de"], "de")],
)
def test_what_is_not_set_up_is_status_2(arguments: list[str], said: str, settings: Path, dozor: Dozor) -> None:
    ended = run("notify", "test", *arguments, cwd=settings)
    assert ended.returncode == 2
    assert said in one_message(ended)
    assert dozor.asked == []
