"""What URLs say, and what is wrong with them; what is read from clients without their library."""

import ssl
from typing import Any

import pytest
import redis
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import SSLConnection, parse_url

from dozor.errors import ConfigurationError
from dozor.instruments.redis_target import RedisTarget
from dozor.instruments.redis_tls import TlsSettings

SECRET = "s3cr3t-canary"


@pytest.mark.parametrize(
    ("url", "address", "username", "password"),
    [
        ("redis://", "localhost:6379", None, None),
        ("redis://host", "host:6379", None, None),
        ("valkey://HOST:7000/3", "host:7000", None, None),
        ("redis://[::1]:7000", "[::1]:7000", None, None),
        ("redis://:p%40ss%2Fword@host/0", "host:6379", None, "p@ss/word"),
        ("redis://us%3Aer:p@host", "host:6379", "us:er", "p"),
        ("redis://host?username=u&password=p%25", "host:6379", "u", "p%"),
        ("redis://named:first@host?username=u&password=p", "host:6379", "named", "first"),
        ("redis://?host=there&port=7001&db=2", "there:7001", None, None),
        ("redis://host:7000?port=7001&path=/s", "host:7000", None, None),
        ("redis://host?socket_timeout=0.5&health_check_interval=3&protocol=3&unknown=1", "host:6379", None, None),
        ("unix:///run/with%20space/valkey.sock", "/run/with space/valkey.sock", None, None),
        ("unix://user:p@/run/valkey.sock?db=1&ssl_cert_reqs=odd", "/run/valkey.sock", "user", "p"),
        ("unix://?path=/run/valkey.sock", "/run/valkey.sock", None, None),
    ],
)
def test_urls(url: str, address: str, username: str | None, password: str | None) -> None:
    target = RedisTarget.of(url)
    assert (target.address, target.username, target.password, target.tls) == (address, username, password, None)
    assert repr(target).count("password") == 0


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@given(
    scheme=st.sampled_from(["redis", "rediss", "unix"]),
    login=st.sampled_from(["", "u@", "u:p@", ":p@", "u%41:p%2F@"]),
    place=st.sampled_from(["", "host", "HOST:1", "[::1]:65535", "host:0", "/path", "host/3", "host/x"]),
    query=st.dictionaries(
        st.sampled_from(["db", "host", "port", "username", "password", "timeout", "protocol", "odd"]),
        TEXT | st.just("7"),
    ),
)
def test_urls_mean_what_they_mean_to_redis_py(scheme: str, login: str, place: str, query: dict[str, str]) -> None:
    from urllib.parse import urlencode

    url = f"{scheme}://{login}{place}?{urlencode(query)}"
    try:
        theirs: dict[str, Any] = dict(parse_url(url))
        if not theirs.get("path"):
            theirs["port"] = int(theirs.get("port", 6379))
    except ValueError:
        with pytest.raises(ConfigurationError):
            RedisTarget.of(url)
        return
    if scheme == "unix" and not theirs.get("path"):
        with pytest.raises(ConfigurationError, match="path"):
            RedisTarget.of(url)
        return
    if not query.get("port", "0").isdecimal():
        return  # of no use where it is said before the question mark, and yet said to be wrong
    target = RedisTarget.of(url)
    assert (target.username, target.password) == (theirs.get("username"), theirs.get("password"))
    if scheme == "unix":
        assert target.address == theirs["path"]
    else:
        assert (target.host, target.port) == (theirs.get("host", "localhost"), theirs["port"] or 6379)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"http://:{SECRET}@host", "'http' is not the scheme"),
        (SECRET, "'this' is not the scheme"),
        (f"redis://:{SECRET}@host:{SECRET}", "not a valid Redis URL"),
        (f"redis://:{SECRET}@[host", "not a valid Redis URL"),
        (f"redis://:{SECRET}@host:77777", "not a valid Redis URL"),
        (f"redis://:{SECRET}@one,two", "several hosts"),
        (f"redis://host?db={SECRET}", "db"),
        (f"redis://host?port={SECRET}", "port"),
        (f"redis://host?socket_timeout={SECRET}", "socket_timeout"),
        (f"rediss://host?ssl_cert_reqs={SECRET}", "ssl_cert_reqs"),
        (f"rediss://host?ssl_min_version={SECRET}", "ssl_min_version"),
        ("rediss://host?ssl_min_version=5", "ssl_min_version"),
        (f"rediss://host?ssl_include_verify_flags=[{SECRET}]", "ssl_include_verify_flags"),
        (f"unix://:{SECRET}@", "path"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_by_its_name(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisTarget.of(url)
    assert said in str(caught.value)
    assert "redis://" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_tls_of_a_url() -> None:
    url = (
        "rediss://host?ssl_cert_reqs=optional&ssl_check_hostname=no&ssl_certfile=c&ssl_keyfile=k&ssl_password=p%20&ssl_ca_certs=ca"
        "&ssl_ca_path=cas&ssl_ca_data=data&ssl_min_version=772&ssl_ciphers=AES&ssl_include_verify_flags=[VERIFY_X509_STRICT, "
        "VERIFY_CRL_CHECK_LEAF]&ssl_exclude_verify_flags=VERIFY_X509_TRUSTED_FIRST"
    )
    assert RedisTarget.of(url).tls == TlsSettings(
        cert_reqs=ssl.CERT_OPTIONAL,
        check_hostname=False,
        certfile="c",
        keyfile="k",
        password="p ",
        ca_certs="ca",
        ca_path="cas",
        ca_data="data",
        min_version=ssl.TLSVersion.TLSv1_3,
        ciphers="AES",
        include_verify_flags=(ssl.VERIFY_X509_STRICT, ssl.VERIFY_CRL_CHECK_LEAF),
        exclude_verify_flags=(ssl.VERIFY_X509_TRUSTED_FIRST,),
    )
    for url in ("rediss://host", "valkeys://host"):
        assert RedisTarget.of(url).tls == TlsSettings()


@pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
def test_tls_of_a_client(kind: Any) -> None:
    plain, loose = kind(host="h"), kind(host="h", ssl=True, ssl_cert_reqs=None)
    strict = kind(host="h", ssl=True, ssl_cert_reqs=ssl.CERT_REQUIRED, ssl_min_version=ssl.TLSVersion.TLSv1_2)
    assert RedisTarget.of(plain).tls is None
    assert getattr(RedisTarget.of(loose).tls, "cert_reqs", None) is ssl.CERT_NONE
    assert RedisTarget.of(strict).tls == TlsSettings(min_version=ssl.TLSVersion.TLSv1_2)


def test_what_is_not_said_is_what_the_clients_library_does() -> None:
    class LaxSSLConnection(SSLConnection):
        def __init__(self, *, ssl_check_hostname: bool = False, **rest: Any) -> None:
            super().__init__(ssl_check_hostname=ssl_check_hostname, **rest)

    class ManagedSSLConnection(LaxSSLConnection):
        def __init__(self, **rest: Any) -> None:
            super().__init__(**rest)

    assert RedisTarget.like({}, SSLConnection).tls == TlsSettings()
    assert (
        RedisTarget.like({}, LaxSSLConnection).tls
        == RedisTarget.like({}, ManagedSSLConnection).tls
        == TlsSettings(check_hostname=False)
    )
    assert RedisTarget.like({"ssl_check_hostname": True}, ManagedSSLConnection).tls == TlsSettings()


def test_another_place_and_another_login() -> None:
    target = RedisTarget.of(f"rediss://u:{SECRET}@host?ssl_cert_reqs=none")
    there = target.at("10.0.0.1", 7000)
    assert (there.address, there.username, there.tls) == ("10.0.0.1:7000", "u", target.tls)
    assert target.logged_in(None, "p").username is None
    assert SECRET not in f"{target!r}{there!r}"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        ("redis://h", ()),
        ("redis://:p@h", ("p",)),
        ("redis://u@h", ("u", "")),
        ("redis://u:p@h", ("u", "p")),
    ],
)
async def test_what_is_said_after_auth(url: str, credentials: tuple[str, ...]) -> None:
    assert await RedisTarget.of(url).credentials() == credentials
