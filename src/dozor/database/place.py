"""Where the store is: the file or server that was named, the default file, or memory where no file can be had."""

import logging
import os
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from dozor.clock import Clock
from dozor.database import sqlite_file
from dozor.database.url import STORE_KEY, file_name, parse_url, safe_url, sqlite_path, state_folder
from dozor.errors import ConfigurationError

logger = logging.getLogger("dozor.database")

_MEMORY: Final = "sqlite+pysqlite://"


class Place:
    """What a `Database` was asked to use, and what it uses; see there for the arguments."""

    def __init__(self, url: str | None, *, name: str, strict: bool, exclusive: bool, clock: Clock) -> None:
        self._configured = None if url is None else parse_url(url)
        self._name, self._strict, self._exclusive, self._clock = name, strict, exclusive, clock
        self._lock: int | None = None
        self.url: URL | None = self._configured
        self.why_not_durable: str | None = None
        self.set_aside: Path | None = None

    @property
    def text(self) -> str:
        """For people, without secrets."""
        return "memory" if self.url is None or self.in_memory else safe_url(self.url)

    @property
    def in_memory(self) -> bool:
        """Whether it ends with the process."""
        return self.url is not None and self.url.get_backend_name() == "sqlite" and self.path is None

    @property
    def path(self) -> Path | None:
        """The SQLite file."""
        return None if self.url is None else sqlite_path(self.url)

    @property
    def claimed(self) -> bool:
        """Whether the SQLite file is this process' alone (`exclusive`)."""
        return self._lock is not None

    def take(self) -> URL:
        """Find the place and make it ready: the URL to connect to.

        Raises:
            ConfigurationError: (strict) the file is corrupt, cannot be written, or is another Dozor's.
        """
        self.url = self._configured or self._default()
        path = self.path
        if path is not None and not self._prepare(path):
            self.url = parse_url(_MEMORY)
        if self.in_memory and self.why_not_durable is None:
            self.why_not_durable = f"{STORE_KEY} asks for a database in memory"
        return self.url

    def leave(self) -> None:
        """Let another Dozor have it."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def replace_corrupt(self) -> bool:
        """Set the file aside if it proves to be corrupt, all connections to it being closed; whether that was so.

        Raises:
            ConfigurationError: it is, and (strict) must not be replaced.
        """
        path = self.path
        fault = None if path is None else sqlite_file.fault(path, thorough=True)
        if path is None or fault is None:
            return False
        self._set_aside(path, fault)
        return True

    def _default(self) -> URL:
        folder = state_folder()
        if folder is None:
            self._fall_back("neither HOME nor XDG_STATE_HOME is set")
            return parse_url(_MEMORY)
        return URL.create("sqlite+pysqlite", database=str(folder / file_name(self._name)))

    def _prepare(self, path: Path) -> bool:
        try:
            sqlite_file.prepare(path)
            if self._exclusive and not self._claimed(path):
                return False
            fault = sqlite_file.fault(path)
            if fault is not None:
                self._set_aside(path, fault)
        except OSError as error:
            problem = f"the store {path} cannot be written ({error.strerror or error})"
            if self._strict and self._configured is not None:
                raise ConfigurationError(problem, key=STORE_KEY) from error
            self._fall_back(problem)
            return False
        return True

    def _claimed(self, path: Path) -> bool:
        self._lock = sqlite_file.claim(path)
        if self._lock is not None:
            return True
        problem = (
            f"another Dozor keeps its alerts in {path} (a second worker, or an application of the same name; DOZOR_NAME "
            "gives each a name of its own)"
        )
        if self._strict:
            raise ConfigurationError(problem, key=STORE_KEY)
        self._fall_back(problem)
        return False

    def _set_aside(self, path: Path, fault: str) -> None:
        if self._strict:
            raise ConfigurationError(
                f"the store {path} is corrupt ({fault}): restore it from a copy, or move it away to begin a new one",
                key=STORE_KEY,
            )
        self.set_aside = sqlite_file.set_aside(path, self._clock.now())
        sqlite_file.prepare(path)
        logger.error(
            "the store %s is corrupt (%s). It was set aside as %s, and a new one was begun: alerts, silences, "
            "history and unsent notifications of earlier runs are not in it",
            path,
            fault,
            self.set_aside,
        )

    def _fall_back(self, problem: str) -> None:
        self.why_not_durable = problem
        logger.warning(
            "%s: Dozor keeps alerts and their history in memory only, and a restart forgets them. To keep them, set %s "
            "to a place that can be written, such as sqlite:////var/lib/dozor/%s",
            problem,
            STORE_KEY,
            file_name(self._name),
        )
