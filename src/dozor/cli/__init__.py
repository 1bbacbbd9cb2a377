"""The command `dozor`.

Exit status: 0 done; 1 refused, not found, or something failed; 2 a flag, variable, file or address is wrong, and nothing was
started or asked; 3 no Dozor answers there; 130 ended by Ctrl-C. `dozor check` has its own, as monitoring plug-ins do:
0 healthy, 1 warning, 2 critical, 3 unreachable.
"""

import os
import sys

from dozor._version import __version__
from dozor.cli.outcome import CommandFailed
from dozor.cli.serve_flags import plain_flags
from dozor.errors import ConfigurationError, DozorError

__all__ = ["main"]

_FAILED = 1
_WRONG = 2
_INTERRUPTED = 130


def main() -> int:
    """Run the command line; the entry point. No traceback reaches a user who did not ask for one."""
    try:
        if sys.argv[1:] in (["version"], ["--version"]):  # without what the other commands have to load
            return print_version()
        status = _run(sys.argv[1:])
        sys.stdout.flush()
    except (ConfigurationError, CommandFailed) as error:
        return _say(str(error), error.status if isinstance(error, CommandFailed) else _WRONG)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, say) has what it wanted. Python flushes once more at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as error:
        if os.environ.get("DOZOR_DEBUG", "") not in {"", "0"}:
            raise
        text = str(error) if isinstance(error, DozorError) else f"internal error: {type(error).__name__}: {error}"
        return _say(f"{text}\n(DOZOR_DEBUG=1 shows where this happened)", _FAILED)
    return status


def print_version() -> int:
    """Print the version."""
    print(f"dozor {__version__}")  # noqa: T201
    return 0


def _run(arguments: list[str]) -> int:
    # All is imported here, so that an interruption of an import is quiet too.
    flags = plain_flags(arguments[1:]) if arguments[:1] == ["serve"] else None
    if flags is not None:
        from dozor.cli.serve import serve  # noqa: PLC0415

        return serve(flags)
    from dozor.cli.app import app  # noqa: PLC0415

    try:
        app(prog_name="dozor")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _FAILED if end.code else 0
    return 0


def _say(text: str, status: int) -> int:
    print(f"dozor: {text}", file=sys.stderr)  # noqa: T201
    return status
