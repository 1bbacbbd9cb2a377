"""The table of notifiers."""

import pytest

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.notify import LogNotifier, WebhookNotifier, table
from dozor.testing import RecordingNotifier


class Pager(RecordingNotifier):
    """One with a name."""

    name = "pager"


def test_the_log_is_always_there() -> None:
    found = table(Clock())
    assert list(found) == ["log"]
    assert isinstance(found["log"], LogNotifier)


def test_a_webhook_is_there_where_it_has_a_url() -> None:
    found = table(Clock(), webhook_url="https://hooks.example/s3cr3t", webhook_secret="c2VjcmV0")
    assert list(found) == ["log", "webhook"]
    assert isinstance(found["webhook"], WebhookNotifier)
    assert "s3cr3t" not in repr(found)


def test_own_notifiers_have_names_that_stay() -> None:
    own = [RecordingNotifier(), Pager(), RecordingNotifier(), Pager()]
    assert list(table(Clock(), own=own)) == ["log", "RecordingNotifier", "pager", "RecordingNotifier-2", "pager-2"]


def test_a_wrong_url_names_its_setting() -> None:
    with pytest.raises(ConfigurationError, match="DOZOR_WEBHOOK_URL: "):
        table(Clock(), webhook_url="hooks.example")
