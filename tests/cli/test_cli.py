"""The command line as its users meet it: what it prints, and the status it ends with."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.command import DOZOR, environment, one_message, run

from dozor import __version__
from dozor.cli import main


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(arguments: list[str], tmp_path: Path) -> None:
    ended = run(*arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, f"dozor {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense"], "No such option: --nonsense"),
        (["nonsense"], "No such command 'nonsense'"),
        (["demo", "--port", "http"], "--port"),
        (
            ["serve", "--interval", "soon"],
            "dozor: --interval: 'soon' is not a duration; write it like 30s, 5m or 1h30m",
        ),
        (
            ["serve", "--redis-url", "redis+cluster://h/main"],
            "--redis-url: a cluster has no databases and no service",
        ),
        (["serve", "--config", "nowhere.toml"], "--config: there is no file nowhere.toml"),
        (["serve", "--host", "0.0.0.0"], "set DOZOR_API_KEY"),
        (["db", "upgrade", "--store-url", "sqlite://"], "there is no database to upgrade: DOZOR_STORE_URL asks for"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dozor", *arguments])
    assert main() == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count(said) == 1
    assert "Traceback" not in printed.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--nonsense"], "No such option: --nonsense"),
        (["serve", "--rules", "nowhere.yml"], "nowhere.yml"),
    ],
)
def test_a_mistake_ends_the_process_with_status_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    ended = run(*arguments, cwd=tmp_path)
    assert said in one_message(ended)
    assert (ended.returncode, ended.stdout) == (2, "")


@pytest.mark.parametrize(("asked", "shown"), [("", False), ("0", False), ("1", True)])
def test_a_traceback_is_for_those_who_ask(
    asked: str, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("dozor.cli.app.app", broken)
    monkeypatch.setattr(sys, "argv", ["dozor", "check"])
    monkeypatch.setenv("DOZOR_DEBUG", asked)
    if shown:
        with pytest.raises(ZeroDivisionError):
            main()
        return
    assert main() == 1
    assert capsys.readouterr().err == (
        "dozor: internal error: ZeroDivisionError: inside\n(DOZOR_DEBUG=1 shows where this happened)\n"
    )


def test_config_show_prints_values_and_origins_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "dozor.toml").write_text('interval = "2s"\n', encoding="utf-8")
    ended = run("config", "show", cwd=tmp_path, DOZOR_REDIS_URL="cache=redis://:s3cret@h/0", DOZOR_API_KEY="s3cret")
    assert ended.returncode == 0
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in ended.stdout.splitlines()}
    assert rows["interval"] == "2s dozor.toml:1 (interval)"
    assert rows["redis_url"] == "cache=redis://:***@h/0 DOZOR_REDIS_URL"
    assert rows["api_key"] == "*** DOZOR_API_KEY"
    assert rows["port"] == "8002 default"
    assert "s3cret" not in ended.stdout


def test_config_show_cuts_nothing_for_want_of_room(tmp_path: Path) -> None:
    (tmp_path / "dozor.toml").write_text(
        '[channels.the-department-of-operations]\ntype = "email"\nsmtp_url = "smtp://h"\nfrom = "a@example.com"\n'
        'to = ["a-long-name@a-long-name.example.com", "another-long-name@a-long-name.example.com"]\n',
        encoding="utf-8",
    )
    ended = run("config", "show", cwd=tmp_path)
    (row,) = (
        line.split() for line in ended.stdout.splitlines() if ".operations.to" in line or "operations.to " in line
    )
    assert row == [
        "channels.the-department-of-operations.to",
        "a-long-name@a-long-name.example.com,",
        "another-long-name@a-long-name.example.com",
        "dozor.toml:5",
        "(channels.the-department-of-operations.to)",
    ]
    assert "…" not in ended.stdout


def test_config_show_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "dozor.toml").write_text('\nintervall = "2s"\n', encoding="utf-8")
    ended = run("config", "show", cwd=tmp_path)
    assert ended.returncode == 2
    assert one_message(ended) == "dozor: dozor.toml:2: intervall: there is no such setting; did you mean interval?\n"


def test_a_closed_pipe_is_no_error_to_talk_about(tmp_path: Path) -> None:
    with subprocess.Popen(
        [DOZOR, "config", "show"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_db_upgrade_makes_the_store_and_says_where(tmp_path: Path) -> None:
    ended = run("db", "upgrade", cwd=tmp_path)
    store = tmp_path / ".local" / "state" / "dozor" / "agent.db"
    assert ended.returncode == 0, ended.stderr
    assert str(store) in ended.stdout
    assert store.stat().st_mode & 0o777 == 0o600


def test_check_finds_nobody(tmp_path: Path) -> None:
    ended = run("check", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert ended.returncode == 3
    assert "nothing answers at http://127.0.0.1:9" in one_message(ended)
