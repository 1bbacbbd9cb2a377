"""What servers and systems say, as kinds of failure."""

import errno
import socket
import ssl

import pytest

from dozor.instruments.redis_connection import AnswerError, ProtocolError
from dozor.instruments.redis_failure import RedisFailure, forbidden, kind_of


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("NOAUTH Authentication required.", "noauth"),
        ("NOAUTH HELLO must be called with the client already authenticated", "noauth"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "wrongpass"),
        ("ERR invalid password", "wrongpass"),  # before Redis 6
        ("ERR Client sent AUTH, but no password is set", "wrongpass"),
        (
            "ERR AUTH <password> called without any password configured for the default user. Are you sure …",
            "wrongpass",
        ),
        ("ERR wrong number of arguments for 'auth' command", "wrongpass"),
        ("NOPERM this user has no permissions to run the 'info' command", "noperm"),
        ("NOPERM User x has no permissions to run the 'info' command", "noperm"),
        ("ERR unknown command `INFO`, with args beginning with: ", "noperm"),
        ("LOADING Redis is loading the dataset in memory", "loading"),
        ("MISCONF Redis is configured to save RDB snapshots", "misconf"),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "masterdown"),
        ("DENIED Redis is running in protected mode because …", "denied"),
        ("ERR max number of clients reached", "maxclients"),
        ("ERR max number of clients + cluster connections reached", "maxclients"),
        ("BUSY Redis is busy running a script.", "error"),
        ("ERR out of luck", "error"),
        ("", "error"),
    ],
)
def test_answers(answer: str, kind: str) -> None:
    assert kind_of(AnswerError(answer)) == kind
    assert RedisFailure(kind, "h:1").answered


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] Connect …"), "refused"),
        (FileNotFoundError(errno.ENOENT, "no such socket"), "refused"),
        (ConnectionResetError("closed by the server"), "reset"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "reset"),
        (BrokenPipeError(errno.EPIPE, "pipe"), "reset"),
        (TimeoutError(), "timeout"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), "timeout"),
        (OSError(errno.ENETUNREACH, "unreachable"), "unreachable"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns"),
        (UnicodeError("label empty or too long"), "dns"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "tls"),
        (ProtocolError("got H"), "garbage"),
        (KeyError("whatever reading stumbles over"), "garbage"),
    ],
)
def test_silence(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind
    assert not RedisFailure(kind, "h:1").answered


def test_what_a_user_may_not_and_what_a_server_lacks() -> None:
    assert forbidden(AnswerError("NOPERM User x has no permissions to run the 'slowlog|get' command"))
    assert not forbidden(AnswerError("ERR unknown command 'SLOWLOG'"))
    assert not forbidden(AnswerError("ERR syntax error"))
