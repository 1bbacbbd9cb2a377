"""Where the store is: its URL, read and checked, and shown without its secrets."""

import os
import re
import sys
from collections.abc import Mapping
from hashlib import blake2s
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dozor.errors import ConfigurationError

STORE_KEY: Final = "DOZOR_STORE_URL"

_EXAMPLES: Final = "such as sqlite:////var/lib/dozor/shop.db or postgresql://user:password@host/dozor"
_SECRET_PARAMETERS: Final = frozenset({"password", "passwd", "sslpassword", "oauth_client_secret"})
_HIDDEN: Final = "***"


def parse_url(text: str) -> URL:
    """*text* as the URL of an SQLite file, of SQLite in memory, or of a PostgreSQL database (by psycopg 3).

    Raises:
        ConfigurationError: it is none of these. The message does not repeat *text*, which may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"this is not a database URL; write one {_EXAMPLES}", key=STORE_KEY) from None
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        if (url.database or "").startswith("file:"):
            raise ConfigurationError(f"name the SQLite file by its path, {_EXAMPLES}", key=STORE_KEY)
        return url.set(drivername="sqlite+pysqlite")
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    raise ConfigurationError(
        f"Dozor keeps its own data in SQLite or PostgreSQL, not in {url.drivername!r}; write a URL {_EXAMPLES}",
        key=STORE_KEY,
    )


def safe_url(url: URL) -> str:
    """*url* as it may be shown: SQLAlchemy hides `user:password@`, and this hides `?password=` too."""
    query = {name: _HIDDEN if name.lower() in _SECRET_PARAMETERS else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True).replace("%2A%2A%2A", _HIDDEN)


def without_secrets(text: str, url: URL) -> str:
    """*text* (a driver's error message, say) with every secret of *url* taken out."""
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _secrets(url: URL) -> set[str]:
    found = {url.password} if url.password else set()
    for name, value in url.query.items():
        if name.lower() in _SECRET_PARAMETERS:
            found.update([value] if isinstance(value, str) else value)
    return {form for secret in found if secret for form in (secret, quote(secret, safe=""), quote_plus(secret))}


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite *url*; None for one in memory (and for PostgreSQL)."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database))


def state_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path | None:
    """The folder for what the user's programs keep between runs; None where no home is known.

    Only the environment is asked: what the password database calls home is, for a service, often a folder of others.
    """
    state_home = environ.get("XDG_STATE_HOME", "")
    if state_home.startswith("/"):
        return Path(state_home) / "dozor"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        return None
    return Path(home) / ("Library/Application Support/dozor" if platform == "darwin" else ".local/state/dozor")


def file_name(application: str) -> str:
    """The file for *application*: readable, and different for every name on every file system."""
    readable = re.sub(r"[^a-z0-9_.-]+", "-", application.lower()).strip("-.")[:64] or "dozor"
    if readable != application:  # "Shop API" and "shop-api" are two applications
        readable += f"-{blake2s(application.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"
    return f"{readable}.db"
