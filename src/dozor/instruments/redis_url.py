"""URLs that name several Redis servers at once: the nodes of a cluster, or the sentinels that know where a primary is.

    redis+cluster://user:password@host1:7000,host2:7000
    redis+sentinel://user:password@host1:26379,host2:26379/SERVICE?sentinel_password=…

Flask-Limiter, redisvl and others write them like this. Nothing is imported here that a command line would have to wait for.
"""

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlencode

Kind = Literal["cluster", "sentinel"]

SCHEMES: Final[dict[str, str]] = {
    f"{scheme}+{kind}": f"{plain}+{kind}"
    for scheme, plain in {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}.items()
    for kind in ("cluster", "sentinel")
}
"""What may stand before `://`, and the same in redis-py's words."""
HOW: Final = "redis+cluster://host1:7000,host2:7000 or redis+sentinel://host1:26379,host2:26379/SERVICE"

_PORTS: Final[dict[Kind, int]] = {"cluster": 6379, "sentinel": 26379}
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9_.-]+))(?::([0-9]{1,5}))?")
_SERVICE: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")  # what a sentinel takes as a name
_OF_SENTINELS: Final = ("sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class ManyHosts:
    """What such a URL says. Its text forms hold no credentials.

    Attributes:
        login: user and password as they stand before the hosts, with the `@`; empty where there are none.
        hosts: the nodes, or the sentinels.
        service: the name that the sentinels know the primary by; empty for a cluster.
        sentinel_login: user and password of the sentinels; None where they want none.
        query: what else stands after the question mark.
    """

    kind: Kind
    tls: bool
    login: str = field(repr=False)
    hosts: tuple[tuple[str, int], ...]
    service: str
    sentinel_login: tuple[str | None, str] | None = field(repr=False)
    query: str = field(repr=False)


def names_many(url: str) -> bool:
    """Whether *url* is, or means to be, such a one."""
    return "cluster" in (scheme := url.partition("://")[0].lower()) or "sentinel" in scheme


def parse_many(url: str) -> ManyHosts:
    """What *url* says. Raises ValueError with a sentence for the user, which repeats no part of the URL that may be secret."""
    scheme, separator, rest = url.partition("://")
    known = SCHEMES.get(scheme.lower())
    if not separator or known is None:
        raise ValueError(f"{scheme if separator else 'this'}:// is not known here; write {HOW}")
    plain, _, word = known.partition("+")
    kind: Kind = "cluster" if word == "cluster" else "sentinel"
    if "#" in rest:
        raise ValueError(f"# has no meaning in this URL, and in a password is written %23; write {HOW}")
    body, _, query = rest.partition("?")
    login, at, where = body.rpartition("@")
    hosts, _, path = where.partition("/")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    database = parameters.pop("db", "")
    of_sentinels: dict[str, str] = {name: parameters.pop(name) for name in _OF_SENTINELS if name in parameters}
    service, _, after = unquote(path).rstrip("/").partition("/")
    if kind == "cluster":
        if of_sentinels:
            raise ValueError(f"a cluster has no sentinels; write {HOW}")
        if service not in {"", "0"} or after or database not in {"", "0"}:
            raise ValueError("a cluster has no databases and no service: nothing but a ? may stand after its hosts")
        service = ""
    else:
        _check_service(service, after or database)
    return ManyHosts(
        kind,
        plain == "rediss",
        login + at,
        tuple(_host(each, _PORTS[kind]) for each in hosts.split(",")),
        service,
        _login(of_sentinels),
        urlencode(parameters),
    )


def _check_service(service: str, database: str) -> None:
    if not service:
        raise ValueError(f"the URL does not say which primary the sentinels are asked for; write {HOW}")
    if not _SERVICE.fullmatch(service):
        raise ValueError("the service, after the hosts, has letters, digits and . _ - only")
    if database and not (database.isascii() and database.isdecimal()):
        raise ValueError("what stands after the service is the number of a database")


def _login(of_sentinels: dict[str, str]) -> tuple[str | None, str] | None:
    user, password = (of_sentinels.get(name) for name in _OF_SENTINELS)
    if user and not password:
        raise ValueError("there is a sentinel_username and no sentinel_password")
    return (user or None, password) if password else None


def _host(text: str, default: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            "the hosts in the URL cannot be read; they are written host1:port,host2:port, and if the password has one of "
            "/ ? # @ , in it, write that as %2F %3F %23 %40 %2C"
        )
    port = int(found[3]) if found[3] else default
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port")
    return found[1] or found[2], port
