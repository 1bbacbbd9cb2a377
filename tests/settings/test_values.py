"""How values are written, and that what is wrong is said without repeating a secret."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dozor.model.alert import Severity
from dozor.settings import NamedUrl, values

databases = values.urls(values.DATABASE)
caches = values.urls(values.REDIS)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("redis://h", [("default", "redis://h")]),
        ("cache=redis://h/1", [("cache", "redis://h/1")]),
        ("a=redis://h, b=rediss://:p@h:1/0?x=y ,", [("a", "redis://h"), ("b", "rediss://:p@h:1/0?x=y")]),
        ("a=redis://:one,two@h,b=redis://h", [("a", "redis://:one,two@h"), ("b", "redis://h")]),
        ("redis://:p=q@h", [("default", "redis://:p=q@h")]),
        ("valkey://h", [("default", "redis://h")]),
        ("valkeys://h", [("default", "rediss://h")]),
        ("unix:///run/redis.sock?db=1", [("default", "unix:///run/redis.sock?db=1")]),
        ("redis://[::1]:6379/0", [("default", "redis://[::1]:6379/0")]),
        ("redis+cluster://h:7000,i:7001", [("default", "redis+cluster://h:7000,i:7001")]),
        (
            "shop=valkeys+cluster://u:p@h:7000,i,q=redis+sentinel://h,i:1/main?db=1,c=redis://h",
            [
                ("shop", "rediss+cluster://u:p@h:7000,i"),
                ("q", "redis+sentinel://h,i:1/main?db=1"),
                ("c", "redis://h"),
            ],
        ),
        (["a=redis://h", "b=redis://h"], [("a", "redis://h"), ("b", "redis://h")]),
        ({"a": "redis://h"}, [("a", "redis://h")]),
        ([NamedUrl("a", "redis://h")], [("a", "redis://h")]),
        ([], []),
    ],
)
def test_urls_are_named_and_told_apart(written: object, expected: list[tuple[str, str]]) -> None:
    assert [(one.name, one.url) for one in caches(written)] == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("localhost:6379", "not a URL"),
        ("http://h", "http:// is not known here; write a URL like redis://"),
        ("redis+sentinel://h", "does not say which primary the sentinels are asked for"),
        ("redis+cluster://h:1,,i:2", "the hosts in the URL cannot be read"),
        ("rediss-sentinel://h", r"rediss-sentinel:// is not known here; write redis\+cluster://host1:7000"),
        ("redis://h1:6379,h2:6379", r"several hosts in one URL.* or as one redis\+cluster://"),
        ("redis://h:port", "the host or the port in the URL cannot be read"),
        ("redis://h:99999", "the host or the port in the URL cannot be read"),
        ("redis://h:0", "0 is not a port"),
        ("redis://my host", "white space"),
        ("redis://h,redis://i", "two are called 'default'"),
        ("a=redis://h,a=redis://i", "two are called 'a'"),
        ("my cache=redis://h", "'my cache' is not a name"),
        ("=redis://h", "'' is not a name"),
        (6379, "must be a URL, a list of them, or a table"),
        ([6379], "must be a URL, a list of them, or a table"),
        ({"a": 1}, "must be some text"),
    ],
)
def test_a_wrong_redis_url_is_explained(written: object, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        caches(written)


@pytest.mark.parametrize(
    "written",
    [
        "postgresql://h/db",
        "postgresql+asyncpg://u:p@h:5/db",
        "postgresql:///db",
        "pgbouncer://h:6432",
        "sqlite:////tmp/x.db",
    ],
)
def test_servers_that_can_be_watched(written: str) -> None:
    assert databases(written) == (NamedUrl("default", written),)


def test_the_short_name_of_postgresql_is_understood() -> None:
    assert databases("postgres://h/db") == (NamedUrl("default", "postgresql://h/db"),)


def test_a_database_of_another_make_is_named() -> None:
    with pytest.raises(ValueError, match=r"mysql\+pymysql servers cannot be watched in this version"):
        databases("mysql+pymysql://h/db")


@given(st.text(alphabet="hunter2/?#@:[]%, =", min_size=1).map(lambda noise: f"hunter2{noise}"))
def test_no_password_is_repeated_in_an_error_or_shown(password: str) -> None:
    try:
        (one,) = databases(f"postgresql://user:{password}@host/db")
        shown = f"{one} {one!r} {one.shown}"
    except ValueError as error:
        shown = str(error)
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("parse", "written", "expected"),
    [
        (values.duration(0, 3600), "1m30s", 90.0),
        (values.duration(0, 3600), "250ms", 0.25),
        (values.duration(0, 3600), "0", 0.0),
        (values.duration(0, 3600), 2.5, 2.5),
        (values.size, "32MiB", 32 * 2**20),
        (values.size, "32 MB", 32_000_000),
        (values.size, "1.5GiB", 3 * 2**29),
        (values.size, "64M", 64_000_000),
        (values.size, 2**20, 2**20),
        (values.size, "2097152", 2**21),
        (values.switch, "0", False),
        (values.switch, "Yes", True),
        (values.switch, False, False),
        (values.port, "8002", 8002),
        (values.count(1, 9), 9, 9),
        (values.host, "[::1]", "::1"),
        (values.words, "A, B,", frozenset({"A", "B"})),
        (values.words, ["A"], frozenset({"A"})),
        (values.paths, "a.yml,b.yml", (Path("a.yml"), Path("b.yml"))),
        (values.paths, [Path("a.yml")], (Path("a.yml"),)),
        (values.url(values.WEB), "https://h/x", "https://h/x"),
        (values.text, "  shop ", "shop"),
    ],
)
def test_values_as_people_write_them(parse: Callable[[object], object], written: object, expected: object) -> None:
    assert parse(written) == expected


@pytest.mark.parametrize(
    ("parse", "written", "said"),
    [
        (values.duration(0.1, 300), "1", "'1' lacks its unit; write 1s"),
        (values.duration(0.1, 300), "5 minutes", "is not a duration; write it like"),
        (values.duration(0.1, 300), "10ms", "'10ms' is not between 100ms and 5m"),
        (values.duration(0.1, 300), "-1s", "is not a duration"),
        (values.duration(0.1, 300), True, "is not a duration"),
        (values.size, "lots", "is not a size; write it like 32MiB"),
        (values.size, "1KiB", "is not between 1MiB and 1024GiB"),
        (values.switch, "maybe", "neither yes nor no"),
        (values.port, "http", "is not a port"),
        (values.port, 70000, "is not a port"),
        (values.count(1, 9), 10, "not a whole number from 1 to 9"),
        (values.host, "a b", "not an address to listen at"),
        (values.url(values.WEB), "https:///x", "names no host"),
        (values.url(values.WEB), "ftp://h", "is not known here"),
        (values.words, 5, "text, or a list of texts"),
        (values.text, "  ", "must be some text"),
        (values.key, "a b", "without spaces"),
        (values.cooldowns, "5m", "written per severity"),
        (values.cooldowns, {"bad": "5m"}, "bad: this is not a severity"),
        (values.cooldowns, {"info": "soon"}, "info: 'soon' is not a duration"),
    ],
)
def test_a_wrong_value_is_explained(parse: Callable[[object], object], written: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(written)


def test_cooldowns_that_are_not_given_keep_their_defaults() -> None:
    assert values.cooldowns({"warning": "10m"}) == {
        Severity.INFO: 900, Severity.WARNING: 600, Severity.CRITICAL: 0, Severity.EMERGENCY: 0,
    }  # fmt: skip


@given(st.integers(min_value=2**20, max_value=2**40))
def test_a_size_is_shown_as_it_is_read(size_bytes: int) -> None:
    assert values.size(values.shown_size(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("example.org", False)],
)  # fmt: skip
def test_only_loopback_addresses_are_private(address: str, loopback: bool) -> None:
    assert values.is_loopback(address) is loopback
