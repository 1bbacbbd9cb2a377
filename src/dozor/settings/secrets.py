"""Secrets, and URLs as they may be shown: to a terminal, a log, an error."""

import re
from typing import Final

from typing_extensions import override

HIDDEN: Final = "***"

# To the last @, not the first: a password whose / or @ was not escaped must not be shown for that.
_PASSWORD: Final = re.compile(r"(://[^:/?#@\s]*):[^\s]*@")
_SECRET_PARAMETER: Final = re.compile(
    r"([?&;][^=&;#]*(?:pass|pwd|secret|token|key|auth|credential|signature)[^=&;#]*=)[^&;#]*", re.IGNORECASE
)
_SCHEME_AND_HOST: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#]*@)?([^/?#@]*)(.*)", re.DOTALL)


class Secret:
    """A text that is not shown by accident. Pydantic's `SecretStr` has the same method, and is taken in its place."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """The text itself."""
        return self._text

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    @override
    def __hash__(self) -> int:
        return hash(self._text)

    @override
    def __repr__(self) -> str:
        return f"Secret('{HIDDEN}')"

    @override
    def __str__(self) -> str:
        return HIDDEN


def plain(value: object) -> object:
    """What a secret hides; any other *value* as it is."""
    reveal = getattr(value, "get_secret_value", None)
    return value if reveal is None else reveal()


def shown_url(url: str) -> str:
    """The URL of a server without its password, whether that stands before the host or in the query."""
    return _SECRET_PARAMETER.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", url))


def shown_webhook(url: str) -> str:
    """The URL of a webhook by its scheme and host only: the path and the query usually are the secret."""
    found = _SCHEME_AND_HOST.fullmatch(url)
    if found is None:
        return HIDDEN
    scheme, host, rest = found.groups()
    return f"{scheme}{host}{rest if rest in {'', '/'} else f'/{HIDDEN}'}"
