"""`dozor top`: the dashboard in the terminal."""

import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import FrameType
from typing import Final

from rich.console import Console, Group
from rich.live import Live

from dozor.cli import top_keys as keys
from dozor.cli.alerts import actor, described
from dozor.cli.client import Client, Document
from dozor.cli.output import print_json
from dozor.cli.top_feed import Feed, look
from dozor.cli.top_view import SECTIONS, Picture, View, alerts_of, draw

_REDRAW_SECONDS: Final = 1.0
_SIZE_SECONDS: Final = 0.25
_SAID_SECONDS: Final = 10.0
_PAGE: Final = 10
_LONGEST_NOTE: Final = 4000


def top(flags: Mapping[str, object], *, once: bool, as_json: bool, interval_seconds: float) -> None:
    """Show how everything is until the user quits, or once where that is wanted or nobody looks. Raises CommandFailed."""
    client = Client.connect(flags)
    first = look(client)
    if as_json:
        print_json(first.overview)
        return
    console = Console(markup=False, highlight=False, emoji=False)
    if once or not console.is_terminal or console.is_dumb_terminal:
        _print(first, console)
        return
    _Screen(client, first, console, interval_seconds).run()


def _print(picture: Picture, console: Console) -> None:
    """*picture*, all of it; cut nowhere where it is piped."""
    view = View(unicode=_knows_unicode(console))
    width = console.width if console.is_terminal else None
    for line in draw(picture, view, picture.at, width=width):
        console.print(line, soft_wrap=width is None)


def _knows_unicode(console: Console) -> bool:
    return console.encoding.lower().replace("-", "").startswith("utf")


class _Screen:
    """The screen, and what keys do to it."""

    def __init__(self, client: Client, first: Picture, console: Console, interval_seconds: float) -> None:
        self._console, self._view = console, View(unicode=_knows_unicode(console))
        # Written to by other threads: there is something to draw.
        self._bell, self._ring = os.pipe()
        for end in (self._bell, self._ring):
            os.set_blocking(end, False)
        self._feed = Feed(client, first, interval_seconds, self._wake)
        self._asking: Document | None = None
        self._said_at = 0.0

    def run(self) -> None:
        """Until the user quits."""
        with ExitStack() as stack:
            stack.callback(os.close, self._bell)
            stack.callback(os.close, self._ring)
            for number in (signal.SIGTERM, signal.SIGHUP):
                stack.callback(signal.signal, number, signal.signal(number, _end))
            keyboard = stack.enter_context(keys.Keyboard()) if sys.stdin.isatty() else None
            live = stack.enter_context(
                Live(
                    console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
                )
            )
            stack.callback(self._feed.stop)
            self._feed.start()
            self._loop(live, keyboard)

    def _loop(self, live: Live, keyboard: keys.Keyboard | None) -> None:
        drawn_at, size = float("-inf"), self._console.size
        due = True
        while True:
            now = time.monotonic()
            if due or now - drawn_at >= _REDRAW_SECONDS or self._console.size != size:
                size, drawn_at = self._console.size, now
                self._draw(live, now)
            watched = [self._bell, *([keyboard.fd] if keyboard is not None else [])]
            ready, _, _ = select.select(watched, [], [], _SIZE_SECONDS)
            due = bool(ready)
            if self._bell in ready:
                with suppress(BlockingIOError):
                    os.read(self._bell, 4096)
            if keyboard is not None and keyboard.fd in ready:
                pressed = keyboard.read()
                if pressed is None or any(self._press(key) for key in pressed):
                    return

    def _draw(self, live: Live, now: float) -> None:
        view, picture = self._view, self._feed.picture
        while not self._feed.said.empty():
            view.said, self._said_at = self._feed.said.get(), now
        if view.said is not None and now - self._said_at > _SAID_SECONDS:
            view.said = None
        self._keep_selected(picture)
        width, height = self._console.size
        live.update(Group(*draw(picture, view, now, width=width, height=height)), refresh=True)

    def _keep_selected(self, picture: Picture) -> None:
        ids = [str(alert["id"]) for alert in alerts_of(picture)]
        if self._view.selected not in ids:
            self._view.selected = ids[0] if ids else None

    # -- keys ------------------------------------------------------------------------------------------------------

    def _press(self, key: str) -> bool:
        """Do what *key* says; whether that is to quit."""
        view = self._view
        if view.typed is not None:
            self._write(key)
        elif view.question is not None:
            self._answer(key)
        elif view.help:
            view.help = False
        elif key in {"q", "Q"}:
            return True
        else:
            self._command(key)
        return False

    def _command(self, key: str) -> None:
        view = self._view
        if key == "?":
            view.help = True
        elif key in {keys.TAB, keys.BACK_TAB}:
            view.section = (view.section + (1 if key == keys.TAB else -1)) % len(SECTIONS)
        elif key in _STEPS:
            self._move(_STEPS[key])
        elif key in {"a", "s", "r", "n"}:
            self._act(key)

    def _move(self, steps: int) -> None:
        view = self._view
        ids = [str(alert["id"]) for alert in alerts_of(self._feed.picture)]
        if view.name != "alerts":
            view.offsets[view.name] = max(0, view.offsets.get(view.name, 0) + steps)
        elif ids:
            place = ids.index(view.selected) if view.selected in ids else 0
            place = max(0, min(len(ids) - 1, place + steps))
            view.selected = ids[place]
            view.offsets["alerts"] = max(0, place - _PAGE // 2)

    def _act(self, key: str) -> None:
        view = self._view
        alert = next((one for one in alerts_of(self._feed.picture) if one["id"] == view.selected), None)
        if alert is None:
            self._say("There is no alert to do that to.")
            return
        self._asking = alert
        match key:
            case "a":
                self._feed.act(alert, "acknowledge", {"by": actor(None)}, f"Acknowledged {described(alert)}.")
            case "s":
                body = {"duration": "1h", "by": actor(None)}
                self._feed.act(alert, "silence", body, f"Silenced {described(alert)} for an hour.")
            case "r":
                view.question = f"Resolve {described(alert)} by hand? y / n"
            case _:
                view.typed = ""

    def _answer(self, key: str) -> None:
        self._view.question = None
        if key in {"y", "Y"} and self._asking is not None:
            self._feed.act(self._asking, "resolve", {"by": actor(None)}, f"Resolved {described(self._asking)}.")
        else:
            self._say("Not resolved.")

    def _write(self, key: str) -> None:
        view = self._view
        text = view.typed or ""
        if key == keys.ESCAPE:
            view.typed = None
        elif key == keys.ENTER:
            view.typed = None
            if text.strip() and self._asking is not None:
                done = f"Noted with {described(self._asking)}."
                self._feed.act(self._asking, "notes", {"text": text.strip(), "by": actor(None)}, done)
        elif key == keys.BACKSPACE:
            view.typed = text[:-1]
        elif len(key) == 1 and len(text) < _LONGEST_NOTE:
            view.typed = text + key

    def _say(self, text: str) -> None:
        self._view.said, self._said_at = text, time.monotonic()

    def _wake(self) -> None:
        # Full: there is enough to wake it. Closed: it has ended.
        with suppress(OSError):
            os.write(self._ring, b"!")


_STEPS: Final = {
    keys.UP: -1, "k": -1, keys.DOWN: 1, "j": 1, keys.PAGE_UP: -_PAGE, keys.PAGE_DOWN: _PAGE, keys.HOME: -100_000,
    keys.END: 100_000,
}  # fmt: skip


def _end(number: int, _: FrameType | None) -> None:
    # By way of an exception, so that the terminal is put back.
    raise SystemExit(128 + number)
