"""What a URL looks like where people see it."""

import pytest

from dozor.settings.secrets import shown_url, shown_webhook


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("redis://:secret@h", "redis://:***@h"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("postgresql://u:sec/r@et@h/db", "postgresql://u:***@h/db"),
        ("postgresql://h/db?password=secret&sslmode=require", "postgresql://h/db?password=***&sslmode=require"),
        ("postgresql://h/db?user=u&PassWord=secret", "postgresql://h/db?user=u&PassWord=***"),
        ("postgresql://h/db?sslpassword=secret#x", "postgresql://h/db?sslpassword=***#x"),
        ("https://h/?access_token=secret", "https://h/?access_token=***"),
    ],
)
def test_a_server_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/services/T0/B0/secret", "https://hooks.example.com/***"),
        ("https://user:secret@hooks.example.com/", "https://hooks.example.com/"),
        ("https://h:8443?token=secret", "https://h:8443/***"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("secret", "***"),
    ],
)
def test_of_a_webhook_only_the_host_is_shown(url: str, shown: str) -> None:
    assert shown_webhook(url) == shown
