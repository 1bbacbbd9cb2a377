"""`dozor top`: what it shows at any size, what keys do, how it ends. In a real terminal, a pty, where that matters."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.chaos import examples
from tests.cli.conftest import Dozor, Run, alert, problem

from dozor.cli import top_keys as keys
from dozor.cli.top_view import SECTIONS, Picture, View, draw

SECONDS = 60.0
# What colours and weights are: a text may be broken by them anywhere.
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "\x1b[2J<script>\u202eevil\n漢字 " + "x" * 200


def overview(*alerts: dict[str, Any], pools: int = 1, **fields: Any) -> dict[str, Any]:
    """A moment of a shop, but for *fields*."""
    pool = {
        "status": "HEALTHY",
        "reasons": [],
        "db_pool_checked_out": 14.0,
        "db_pool_capacity": 15.0,
        "db_pool_waiting": 2.0,
    }
    return {
        "status": "CRITICAL" if alerts else "HEALTHY",
        "reasons": ["Pool main is nearly exhausted."] if alerts else [],
        "components": {
            "database": {"status": "CRITICAL" if alerts else "HEALTHY", "reasons": []},
            "redis": {"status": None, "reasons": ["No Redis is watched."]},
        },
        "alerts": list(alerts),
        "pools": [{"name": f"main{number or ''}", **pool} for number in range(pools)],
        "servers": [],
        "http": {"requests_per_second": 41.5, "p95_seconds": 0.18},
        "host": {"host_cpu_utilization": 31.2},
        "sparklines": {
            "pool_utilization": [
                {
                    "unit": "percent",
                    "labels": {"pool": "main"},
                    "points": [[0, None], [15, 1.0], [30, 100.0], [45, 50.0]],
                }
            ]
        },
        "generated_at": "2026-11-22T19:36:02Z",
        **fields,
    }


CHANGES = {"changes": [{"at": "2026-11-22T19:30:40Z", "kind": "deployed", "text": "Deployed 1.2.3"}]}


def answering(dozor: Dozor, *alerts: dict[str, Any]) -> Dozor:
    dozor.answers["GET dashboard/overview"] = overview(*alerts)
    dozor.answers["GET dashboard/changes"] = CHANGES
    return dozor


# -- once ----------------------------------------------------------------------------------------------------------


def test_where_it_is_piped_it_is_plain_whole_and_shown_once(dozor: Dozor, dozor_command: Run) -> None:
    long = "y" * 300
    ended = (answering(dozor, alert(labels={"pool": long})), dozor_command("top"))[1]
    assert (ended.status, ended.err) == (0, "")
    assert "\x1b" not in ended.out
    assert "dozor top  ✖ CRITICAL\n  Pool main is nearly exhausted.\n" in ended.out
    assert "database ✖ CRITICAL   redis - not watched" in ended.out
    assert f"PoolUtilizationHigh  pool={long}" in ended.out
    assert "14 of 15" in ended.out
    assert "▁█" in ended.out or "█" in ended.out
    assert "Deployed 1.2.3" in ended.out


def test_programs_get_what_dozor_answers(dozor: Dozor, dozor_command: Run) -> None:
    answering(dozor)
    assert json.loads(dozor_command("top", "--json").out) == overview()


def test_an_older_release_has_no_changes(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["GET dashboard/overview"] = overview()
    ended = dozor_command("top", "--once")
    assert ended.status == 0
    assert "No alerts." in ended.out


@pytest.mark.parametrize(("answer", "words"), [
    ((200, {"components": []}), "is not Dozor"),
    (problem(401, "A key is needed."), "set its key in DOZOR_API_KEY"),
    (problem(503, "Dozor is starting."), "cannot answer now"),
])  # fmt: skip
def test_where_no_dozor_answers_the_status_is_3(dozor: Dozor, dozor_command: Run, answer: Any, words: str) -> None:
    dozor.answers["GET dashboard/overview"] = answer
    ended = dozor_command("top")
    assert (ended.status, words in ended.err) == (3, True)
    assert dozor_command("top", "--url", "http://127.0.0.1:1").status == 3


@pytest.mark.parametrize("interval", ["soon", "0", "10ms"])
def test_an_interval_that_makes_no_sense_is_refused(dozor_command: Run, interval: str) -> None:
    ended = dozor_command("top", "--interval", interval)
    assert (ended.status, "--interval" in ended.err) == (2, True)


# -- what is drawn -------------------------------------------------------------------------------------------------

texts = st.sampled_from(["main", HOSTILE, ""]) | st.text(max_size=30)
figures = st.dictionaries(
    st.sampled_from(
        ["db_pool_checked_out", "db_pool_capacity", "db_pool_waiting", "redis_memory_usage", "redis_hit_rate"]
    ),
    st.floats(0, 1e13),
)
targets = st.builds(
    lambda name, status, why, found: {"name": name, "status": status, "reasons": [why], **found},
    texts, st.sampled_from(["HEALTHY", "WARNING", "CRITICAL", "UNKNOWN"]), texts, figures,
)  # fmt: skip
pictures = st.builds(
    lambda alerts, pools, servers, reasons, failure: Picture(
        overview(*alerts, pools=0) | {"pools": pools, "servers": servers, "reasons": reasons},
        CHANGES["changes"] * len(pools), 0.0, failure,
    ),
    st.lists(st.builds(lambda name, text: alert(name, annotations={"summary": text}, labels={"pool": text}), texts, texts), max_size=9),
    st.lists(targets, max_size=30), st.lists(targets, max_size=5), st.lists(texts, max_size=5), st.none() | texts,
)  # fmt: skip
views = st.builds(
    View, section=st.integers(0, len(SECTIONS) - 1), offsets=st.just({}), help=st.booleans(), unicode=st.booleans(),
    question=st.none() | texts, typed=st.none() | st.just("a note"), said=st.none() | texts,
)  # fmt: skip


@settings(max_examples=examples(40), deadline=None)
@given(picture=pictures, view=views, width=st.integers(10, 200), height=st.integers(4, 60))
def test_it_fits_whatever_is_shown_wherever(picture: Picture, view: View, width: int, height: int) -> None:
    lines = draw(picture, view, 5.0, width=width, height=height)
    assert len(lines) == height
    for line in lines:
        assert "\n" not in line.plain
        assert "\x1b" not in line.plain
        assert "\u202e" not in line.plain
        assert view.unicode or line.plain.isascii()


@settings(max_examples=examples(40), deadline=None)
@given(pools=st.integers(0, 50), height=st.integers(12, 40), section=st.integers(0, 3), offset=st.integers(0, 99))
def test_the_section_with_the_focus_has_the_most_room(pools: int, height: int, section: int, offset: int) -> None:
    view = View(section=section, offsets={SECTIONS[section]: offset})
    lines = draw(Picture(overview(pools=pools), [], 0.0), view, 0.0, width=100, height=height)
    shown = sum(line.plain.startswith("main") for line in lines)
    if section == SECTIONS.index("pools"):
        assert shown >= min(pools, max(1, height - 16))
    assert view.offsets[SECTIONS[section]] <= max(0, pools)


def test_no_row_is_wider_than_the_terminal() -> None:
    picture = Picture(overview(alert(labels={"pool": "漢字" * 40}), pools=3), CHANGES["changes"], 0.0)
    for width in range(20, 140):
        rows = [line for line in draw(picture, View(), 0.0, width=width, height=40) if "PoolUtil" in line.plain]
        assert all(cell_len(row.plain.rstrip()) <= max(width, 45) for row in rows)


def test_a_status_is_told_by_word_and_mark_and_not_by_colour_alone() -> None:
    shown = "\n".join(line.plain for line in draw(Picture(overview(alert()), [], 0.0), View(), 0.0))
    assert "✖ CRITICAL" in shown
    plain = "\n".join(line.plain for line in draw(Picture(overview(alert()), [], 0.0), View(unicode=False), 0.0))
    assert "x CRITICAL" in plain


def test_what_is_old_says_so() -> None:
    picture = Picture(overview(), [], 10.0, "nothing answers at http://127.0.0.1:8002")
    assert (
        "This is 12s old; trying again: nothing answers at http://127.0.0.1:8002"
        in draw(picture, View(), 22.0)[0].plain
    )


# -- keys ----------------------------------------------------------------------------------------------------------


def test_keys_are_told_apart() -> None:
    pressed = "aé\x1b[A\x1bOB\t\x1b[Z\r\x7f\x1b[5~\x1b[1;5C\x1b\x01q"
    assert keys.parse(pressed) == [
        "a", "é", keys.UP, keys.DOWN, keys.TAB, keys.BACK_TAB, keys.ENTER, keys.BACKSPACE, keys.PAGE_UP, keys.ESCAPE, "q"
    ]  # fmt: skip


@given(text=st.text(alphabet=st.sampled_from("\x1b[O0123456789;~ABZqa\t\r\x7f\x00é") | st.characters(), max_size=30))
def test_whatever_arrives_is_keys_or_nothing(text: str) -> None:
    assert all(len(key) == 1 or key.isascii() for key in keys.parse(text))


class Terminal:
    """`dozor top` in a pty: what it has written, and keys for it."""

    def __init__(self, dozor: Dozor, folder: Path, width: int, height: int) -> None:
        self._fd, slave = pty.openpty()
        self.resize(width, height)
        self.before = termios.tcgetattr(self._fd)
        environment = {
            **os.environ,
            "DOZOR_URL": dozor.url,
            "TERM": "xterm",
            "NO_COLOR": "1",
            "PYTHONUTF8": "1",
            "HOME": str(folder),
        }
        environment.pop("COLUMNS", None), environment.pop("LINES", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dozor.cli", "top", "--interval", "200ms"],
            stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=folder, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        os.set_blocking(self._fd, False)
        self.written = ""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def shows(self, text: str) -> None:
        """Wait until *text* is written from now on; what came before counts no longer."""
        deadline = time.monotonic() + SECONDS
        while text not in self.written:
            assert time.monotonic() < deadline, f"{text!r} not in {self.written[-3000:]!r}"
            try:
                self.written = _STYLE.sub("", self.written + os.read(self._fd, 65536).decode(errors="replace"))
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # the other end is closed
                assert text in self.written, self.written[-3000:]
        self.written = self.written.partition(text)[2]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._fd)


@contextmanager
def terminal(dozor: Dozor, folder: Path, width: int = 100, height: int = 30) -> Iterator[Terminal]:
    opened = Terminal(dozor, folder, width, height)
    try:
        yield opened
    finally:
        opened.close()


def until_sent(dozor: Dozor, path: str) -> dict[str, Any] | None:
    deadline = time.monotonic() + SECONDS
    while not (found := [asked for asked in dozor.sent("POST") if asked.path == path]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found[0].body


def test_alerts_are_acted_on_and_dozor_may_go_and_come_back(dozor: Dozor, tmp_path: Path) -> None:
    one, other = alert(), alert("0f6d000000000000", rule="RedisMemoryHigh")
    for alert_id in (one["id"], other["id"]):
        for action in ("acknowledge", "silence", "resolve", "notes"):
            dozor.answers[f"POST alerts/{alert_id}/{action}"] = {**one, "durable": True}
    answering(dozor, one, other)
    with terminal(dozor, tmp_path) as screen:
        screen.shows("\x1b[?1049h")
        screen.shows("> ")
        screen.press("a")
        screen.shows("Acknowledged PoolUtilizationHigh of pool=main (0f6c2f7e).")
        assert until_sent(dozor, f"alerts/{one['id']}/acknowledge") == {"by": "anna"}
        screen.press("js")
        screen.shows("Silenced RedisMemoryHigh")
        assert until_sent(dozor, f"alerts/{other['id']}/silence") == {"duration": "1h", "by": "anna"}
        screen.press("r")
        screen.shows("by hand? y / n")
        screen.press("x")
        screen.shows("Not resolved.")
        screen.press("ry")
        screen.shows("Resolved RedisMemoryHigh")
        screen.press("nwas thé\x7fe backup\r")
        screen.shows("Noted with RedisMemoryHigh")
        assert until_sent(dozor, f"alerts/{other['id']}/notes") == {"text": "was the backup", "by": "anna"}
        assert not [asked for asked in dozor.sent("POST") if asked.path == f"alerts/{one['id']}/resolve"]
        dozor.answers["GET dashboard/overview"] = problem(503, "Dozor is stopping.")
        screen.shows("trying again")
        screen.resize(60, 20)
        answering(dozor)
        screen.shows("No alerts.")
        screen.press("?")
        screen.shows("acknowledge the alert")
        screen.press("?q")
        screen.shows("\x1b[?1049l")
        assert screen.process.wait(SECONDS) == 0
        assert termios.tcgetattr(screen._fd)[3] & termios.ECHO == screen.before[3] & termios.ECHO


def test_however_it_ends_the_terminal_is_as_before(dozor: Dozor, tmp_path: Path) -> None:
    answering(dozor)
    with terminal(dozor, tmp_path, 80, 24) as screen:
        screen.shows("No alerts.")
        screen.process.send_signal(signal.SIGTERM)
        screen.shows("\x1b[?1049l")
        assert screen.process.wait(SECONDS) == 128 + signal.SIGTERM
        assert termios.tcgetattr(screen._fd)[3] == screen.before[3]
