"""Where the store is, and how that is shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.database.url import file_name, parse_url, safe_url, sqlite_path, state_folder, without_secrets
from dozor.errors import ConfigurationError

SECRET = "s3cr3t@/:%"


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("sqlite:////var/lib/dozor/shop.db", "sqlite+pysqlite"),
        ("sqlite://", "sqlite+pysqlite"),
        ("postgres://u@h/d", "postgresql+psycopg"),
        ("postgresql://u@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg"),
    ],
)
def test_sqlite_and_postgresql_are_understood(text: str, driver: str) -> None:
    assert parse_url(text).drivername == driver


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("s3cr3t", "not a database URL"),
        ("", "not a database URL"),
        ("postgresql://u:s3cr3t@h:port/d", "not a database URL"),
        ("sqlite:///file:x.db?uri=true", "by its path"),
        ("mysql://u:s3cr3t@h/d", "not in 'mysql'"),
        ("postgresql+asyncpg://u:s3cr3t@h/d", "not in 'postgresql+asyncpg'"),
        ("sqlite+aiosqlite:///x.db?password=s3cr3t", "not in 'sqlite+aiosqlite'"),
    ],
)
def test_anything_else_is_refused_with_an_example_and_without_the_secret(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^DOZOR_STORE_URL: ") as caught:
        parse_url(text)
    assert said in str(caught.value)
    assert "sqlite:////" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:s3cr3t@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql://u@h/d?password=s3cr3t", "postgresql+psycopg://u@h/d?password=***"),
        ("postgresql://h/d?sslpassword=s3cr3t&sslmode=require", "sslpassword=***"),
        ("postgresql://h/d?PASSWORD=s3cr3t", "PASSWORD=***"),
        ("postgresql://h/d?password=s3cr3t&password=s3cr3t", "password=***"),
        ("sqlite:////x/y.db", "sqlite+pysqlite:////x/y.db"),
    ],
)
def test_a_url_is_shown_without_its_secrets(text: str, shown: str) -> None:
    assert shown in safe_url(parse_url(text))
    assert "s3cr3t" not in safe_url(parse_url(text))


@pytest.mark.parametrize(
    "text",
    ["postgresql://u:s3cr3t%40%2F%3A%25@h/d", "postgresql://u@h/d?password=s3cr3t%40%2F%3A%25"],
    ids=["password", "parameter"],
)
def test_a_drivers_text_loses_every_form_of_the_secret(text: str) -> None:
    said = f'bad word "{SECRET}" in s3cr3t%40%2F%3A%25'
    assert "s3cr3t" not in without_secrets(said, parse_url(text))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("sqlite:///b.db", Path("b.db")),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql://h/d", None),
    ],
)
def test_only_an_sqlite_file_has_a_path(text: str, path: Path | None) -> None:
    assert sqlite_path(parse_url(text)) == path


@pytest.mark.parametrize(
    ("environ", "platform", "folder"),
    [
        ({"HOME": "/home/ann"}, "linux", "/home/ann/.local/state/dozor"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/state"}, "linux", "/state/dozor"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "relative"}, "linux", "/home/ann/.local/state/dozor"),
        ({"HOME": "/Users/ann"}, "darwin", "/Users/ann/Library/Application Support/dozor"),
        ({"HOME": "/Users/ann", "XDG_STATE_HOME": "/state"}, "darwin", "/state/dozor"),
        ({}, "linux", None),
        ({"HOME": ""}, "linux", None),
        ({"HOME": "relative"}, "linux", None),
    ],
)
def test_the_state_folder_is_the_platforms(environ: dict[str, str], platform: str, folder: str | None) -> None:
    assert state_folder(environ, platform) == (None if folder is None else Path(folder))


@pytest.mark.parametrize("name", ["shop", "shop-2", "a.b_c"])
def test_a_plain_name_is_the_files_name(name: str) -> None:
    assert file_name(name) == f"{name}.db"


@given(st.text(max_size=100))
def test_any_name_makes_a_harmless_file_name(name: str) -> None:
    found = file_name(name)
    assert found.isascii()
    assert "/" not in found
    assert not found.startswith((".", "-"))
    assert len(found) < 100


@given(st.text(alphabet="aAbB-. é/", max_size=8), st.text(alphabet="aAbB-. é/", max_size=8))
def test_two_names_never_share_a_file_even_where_case_does_not_count(one: str, other: str) -> None:
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)
