"""The real command, as a shell would run it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

DOZOR = str(Path(sys.executable).with_name("dozor"))


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A clean environment: nothing of the developer's own settings is in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOZOR_", "XDG_"))}
    return kept | {"HOME": str(home)} | variables


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `dozor` with *arguments* in the folder *cwd*, which is its HOME too."""
    return _run((DOZOR, *arguments), cwd, environment(cwd, **variables))


def _run(command: tuple[str, ...], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False
    )


def one_message(run: subprocess.CompletedProcess[str]) -> str:
    """What was said on standard error, which must be no traceback."""
    assert "Traceback" not in run.stderr
    assert run.stderr.startswith(("dozor: ", "Usage: ", "unreachable: ")), run.stderr
    return run.stderr
