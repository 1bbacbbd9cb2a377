"""The table of receivers."""

from typing import ClassVar

import pytest

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.notify import LogNotifier, Notifier, Receiver, table
from dozor.notify.notifier import Channel
from dozor.notify.webhook import WebhookChannel, WebhookNotifier
from dozor.testing import RecordingNotifier

HOOK = WebhookChannel("https://hooks.example/s3cr3t", "c2VjcmV0")


class Pager(RecordingNotifier):
    """One with a name."""

    name = "pager"


class Quiet:
    """A channel that tells no ends, and keeps what it was built with."""

    kind: ClassVar[str] = "quiet"
    rate: ClassVar[tuple[float, int]] = (0.5, 3)
    send_resolved = False
    timeout_seconds = 60.0

    def build(self, name: str, clock: Clock, locale: str) -> Notifier:
        self.built = (name, clock, locale)
        return RecordingNotifier()


def made(**channels: Channel) -> dict[str, Receiver]:
    return table(channels, (), Clock(), "en")


def test_the_log_is_always_there_and_takes_as_much_as_comes() -> None:
    found = made()
    assert list(found) == ["log"]
    assert isinstance(found["log"].notifier, LogNotifier)
    assert found["log"].kind == "log"
    assert found["log"].rate[0] == float("inf")


def test_channels_are_built_under_their_names() -> None:
    clock, quiet = Clock(), Quiet()
    found = table({"hook": HOOK, "ops": quiet}, (), clock, "ru")
    assert list(found) == ["log", "hook", "ops"]
    assert isinstance(found["hook"].notifier, WebhookNotifier)
    assert found["hook"].kind == "webhook"
    assert found["hook"].target == "https://hooks.example/***"
    assert found["hook"].send_resolved
    assert "s3cr3t" not in repr(found)
    assert quiet.built == ("ops", clock, "ru")
    assert (found["ops"].timeout_seconds, found["hook"].timeout_seconds) == (60.0, None)
    assert (found["ops"].kind, found["ops"].rate, found["ops"].send_resolved) == ("quiet", (0.5, 3), False)


def test_own_notifiers_have_names_that_stay() -> None:
    own = [RecordingNotifier(), Pager(), RecordingNotifier(), Pager()]
    found = table({"pager": HOOK}, own, Clock(), "en")
    assert list(found) == ["log", "pager", "RecordingNotifier", "pager-2", "RecordingNotifier-2", "pager-3"]
    assert found["RecordingNotifier"].kind == "own"
    assert found["RecordingNotifier"].target == ""


def test_a_channel_cannot_have_the_name_of_the_log() -> None:
    with pytest.raises(ConfigurationError, match=r"channels\.log: the log is always there"):
        made(log=HOOK)


def test_what_cannot_send_is_no_notifier() -> None:
    with pytest.raises(ConfigurationError, match="notifiers: a object is no notifier"):
        table({}, [object()], Clock(), "en")


def test_what_a_notifier_can_do_is_seen() -> None:
    class Chat(RecordingNotifier):
        follows_updates = True
        refresh_seconds = 60.0
        target = 7

        async def correspond(self) -> None: ...

        async def refresh(self) -> None: ...

    chat, plain = Receiver(Chat()), Receiver(RecordingNotifier())
    assert chat.follows_updates
    assert chat.correspondent is not None
    assert chat.refresher is not None
    assert chat.target == "", "that is no text"
    assert not plain.follows_updates
    assert plain.correspondent is None
    assert plain.refresher is None
