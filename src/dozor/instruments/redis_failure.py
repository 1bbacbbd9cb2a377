"""Why a Redis could not be read, in one word for machines and one sentence for people.

The sentence is Dozor's own and names the address only: the texts of exceptions may carry credentials.
"""

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from dozor.errors import DozorError
from dozor.instruments.redis_connection import AnswerError

_ANSWERS: Final[dict[str, str]] = {
    "loading": "is loading its data into memory and serves nothing until that is done",
    "noauth": "wants a password: put it into the URL, redis://:PASSWORD@HOST",
    "wrongpass": "refuses the user name or password given",
    "noperm": "does not allow this user INFO: grant it with ACL SETUSER NAME +info +slowlog|get",
    "misconf": "refuses commands because it cannot save to disk (MISCONF): see its log",
    "masterdown": "is a replica that has lost its primary and does not serve stale data",
    "maxclients": "takes no more clients: maxclients is reached",
    "denied": "runs in protected mode and refuses connections from other machines",
    "error": "answers INFO with an error",
    "nocluster": "is no node of a cluster: watch it with a redis:// URL",
    "nosentinel": "is no sentinel; sentinels mostly listen on port 26379",
    "noservice": "is a sentinel and knows no primary of the name given: SENTINEL MASTERS tells which it knows",
    "noview": (
        "does not allow this user to ask who belongs together: grant it with ACL SETUSER NAME +cluster|nodes +cluster|info, on a "
        "sentinel +sentinel|master +sentinel|replicas +sentinel|sentinels +sentinel|myid"
    ),
}
_SILENCE: Final[dict[str, str]] = {
    "refused": "refuses the connection: is it running, and is the port right?",
    "timeout": "does not answer in time: it hangs, is overloaded, or a firewall drops the packets",
    "reset": "closed the connection; if it always does, check whether it wants TLS (rediss://)",
    "dns": "cannot be found: its name does not resolve",
    "unreachable": "cannot be reached over the network",
    "tls": "cannot agree on TLS: check rediss:// against redis://, and the certificates",
    "garbage": "sent what is not the Redis protocol: is it a Redis server, and does it want TLS (rediss://)?",
    "credentials": "was not asked: the credential provider of the client failed",
}
_OS_ERRORS: Final[dict[int, str]] = {
    errno.ECONNREFUSED: "refused",
    errno.ENOENT: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ETIMEDOUT: "timeout",
}
_CODES: Final[dict[str, str]] = {
    "LOADING": "loading",
    "NOAUTH": "noauth",
    "WRONGPASS": "wrongpass",
    "NOPERM": "noperm",
    "MISCONF": "misconf",
    "MASTERDOWN": "masterdown",
    "DENIED": "denied",
    "-DENIED": "denied",
}
# The texts of those that have no code of their own; the last ones are of the time before Redis 6.
_TEXTS: Final[dict[str, str]] = {
    "max number of clients": "maxclients",
    # Renamed or forbidden by whoever runs the server.
    "unknown command": "noperm",
    "without any password configured": "wrongpass",
    "invalid password": "wrongpass",
    "no password is set": "wrongpass",
    "for 'auth' command": "wrongpass",
}
_CAUSES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ssl.SSLError, "tls"),
    (TimeoutError, "timeout"),
    (socket.gaierror, "dns"),
    (UnicodeError, "dns"),  # a name that none can have
)
_ERRNO_IN_TEXT: Final = re.compile(r"Errno (\d+)")


class RedisFailure(DozorError):  # noqa: N818 - named for what is the case
    """A Redis could not be read.

    Attributes:
        kind: `refused`, `timeout`, `reset`, `dns`, `unreachable`, `tls`, `garbage`, `credentials`; or, of a server that
            answers, `loading`, `noauth`, `wrongpass`, `noperm`, `misconf`, `masterdown`, `maxclients`, `denied`, `error`; or, of
            one asked for the others, `nocluster`, `nosentinel`, `noservice`, `noview`.
        answered: whether the server answered, be it with an error: then it is not down.
    """

    def __init__(self, kind: str, address: str, *, tls: bool = False) -> None:
        self.kind, self.answered = kind, kind in _ANSWERS
        text = f"Redis at {address} {_ANSWERS.get(kind) or _SILENCE[kind]}"
        if tls and kind == "timeout":  # what a server without TLS does with the first message of the handshake
            text += ", or it does not speak TLS (rediss://)"
        super().__init__(text)


def kind_of(error: BaseException) -> str:
    """The kind of failure that *error*, a server's answer or what a connection raised, is."""
    return _kind_of_answer(str(error)) if isinstance(error, AnswerError) else _kind_of_silence(error)


def forbidden(error: Exception) -> bool:
    """Whether *error*, a server's answer, says that the user may not run the command; false for one that the server lacks."""
    return kind_of(error) == "noperm" and "unknown" not in str(error).lower()


def _kind_of_answer(text: str) -> str:
    if known := _CODES.get(text.partition(" ")[0]):
        return known
    lower = text.lower()
    return next((kind for part, kind in _TEXTS.items() if part in lower), "error")


def _kind_of_silence(error: BaseException) -> str:
    kind = next(filter(None, map(_kind_of_cause, _causes(error))), None)
    # What reading an answer stumbles over is any exception; what the connection does is one of the system's.
    return kind or ("reset" if isinstance(error, OSError) else "garbage")


def _kind_of_cause(cause: BaseException) -> str | None:
    for kind, name in _CAUSES:
        if isinstance(cause, kind):
            return name
    number = _errno(cause) if isinstance(cause, OSError) else 0
    return _OS_ERRORS.get(number, "unreachable") if number else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _errno(cause: OSError) -> int:
    # asyncio folds the failures of several addresses (::1, 127.0.0.1) into one error without a number.
    found = None if cause.errno else _ERRNO_IN_TEXT.search(str(cause))
    return cause.errno or (int(found[1]) if found else 0)
