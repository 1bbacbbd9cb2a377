"""`dozor rules check`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import to_builtins

from dozor.cli.output import print_json, say
from dozor.cli.rules_live import LiveSeries
from dozor.rules.check import Checked, Finding, Level, check_files

_CLEAN, _WARNED, _REFUSED = 0, 1, 2


def check(files: Sequence[Path], flags: Mapping[str, object], *, strict: bool, as_json: bool) -> int:
    """Print what is found in *files*; return the exit status.

    Raises:
        CommandFailed: a live Dozor was to be asked, and does not answer.
    """
    live = LiveSeries.connect(flags).names() if flags.get("url") else None
    checked = check_files(files, live=live)
    errors, warnings = checked.of(Level.ERROR), checked.of(Level.WARNING)
    if as_json:
        print_json(
            {
                "files": [str(file) for file in files],
                "rules": checked.rules,
                "errors": list(map(to_builtins, errors)),
                "warnings": list(map(to_builtins, warnings)),
            }
        )
    else:
        for finding in checked.findings:
            say(_line(finding))
        say(_summary(len(files), checked))
    if errors:
        return _REFUSED
    return _WARNED if warnings and strict else _CLEAN


def _line(finding: Finding) -> str:
    where = ":".join(str(part) for part in (finding.file, finding.line) if part)
    about = f"[{finding.check}]" if finding.check else ""
    subject = finding.key or finding.rule
    parts = [
        f"{where}:" if where else "",
        f"{finding.level}:",
        f"{subject}:" if subject else "",
        finding.message,
        about,
    ]
    return " ".join(part for part in parts if part)


def _summary(files: int, checked: Checked) -> str:
    errors, warnings = len(checked.of(Level.ERROR)), len(checked.of(Level.WARNING))
    found = ", ".join(counted(number, what) for number, what in ((errors, "error"), (warnings, "warning")) if number)
    return f"{counted(files, 'file')}, {counted(checked.rules, 'rule')}: {found or 'nothing to complain of'}"


def counted(number: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
