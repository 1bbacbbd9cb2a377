"""Where Dozor is asked: the API and the page, loaded when somebody comes.

With FastAPI and pydantic they are a third of an agent's memory and half of its start, and most agents are asked for nothing
but alerts that they send by themselves. Everything of them is imported in this module, when it is wanted.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dozor.errors import ConfigurationError
from dozor.overview import Change
from dozor.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.routing import BaseRoute

    from dozor.desk import Desk


class Reception:
    """Makes what answers, once, and tells it of what happens. Its methods may be called in any thread, where not said otherwise.

    Args:
        settings: who may ask, and how many may listen.
        auth: the application's own FastAPI dependency.
        given: what `Desk` takes besides.

    Raises:
        ConfigurationError: the settings have several secrets for Slack's buttons.
    """

    def __init__(self, settings: Settings, auth: Callable[..., Any] | None, **given: Any) -> None:
        self._settings, self._auth, self._given = settings, auth, given
        self._signing_secret = _signing_secret(settings)
        self._making = threading.Lock()
        self._desk: Desk | None = None
        self._opened = False

    def desk(self) -> "Desk":
        """What answers the API."""
        from dozor.api.backend import Access  # noqa: PLC0415
        from dozor.desk import Desk  # noqa: PLC0415

        with self._making:
            if self._desk is None:
                settings, key = self._settings, self._settings.api_key
                access = Access(
                    key.get_secret_value() if key is not None else None,
                    self._auth,
                    self._signing_secret,
                    remote_write=settings.remote_write,
                )
                self._desk = Desk(access=access, max_streams=settings.max_streams, **self._given)
                if self._opened:
                    self._desk.live.open()
            return self._desk

    def routes(self) -> "list[BaseRoute]":
        """The API and the page, below their prefix, for a FastAPI application."""
        from dozor import api, dashboard  # noqa: PLC0415

        return api.build_router(self.desk(), pages=dashboard).routes

    def probes(self, paths: list[str]) -> "list[BaseRoute]":
        """Those of the probes that *paths* names, at the root, for a FastAPI application."""
        from dozor import api  # noqa: PLC0415

        return api.build_probes(self.desk(), paths).routes

    def application(self) -> "FastAPI":
        """API, page and probes as an application of their own."""
        from dozor import api, dashboard  # noqa: PLC0415

        return api.create_app(self.desk(), pages=dashboard)

    # -- on Dozor's loop -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Dozor runs: streams may begin."""
        self._opened = True
        if self._desk is not None:
            self._desk.live.open()

    async def close(self) -> None:
        """Dozor stops: every stream ends."""
        self._opened = False
        if self._desk is not None:
            self._desk.live.close()

    def look(self) -> None:
        """What is known has changed."""
        if self._desk is not None:
            self._desk.live.look()

    def tell(self, changes: Sequence[Change]) -> None:
        """Have streams told of *changes*, which are new."""
        if self._desk is not None:
            self._desk.tell(changes)


def _signing_secret(settings: Settings) -> str | None:
    """What Slack signs the presses of its buttons with, whichever channel they stand in."""
    # Of Slack's channels; not asked for their class, which would be imported for those who have none.
    secrets = {getattr(channel, "signing_secret", None) for channel in settings.channels.values()} - {None}
    if len(secrets) > 1:
        raise ConfigurationError(
            "the Slack channels have different signing secrets; buttons work for one Slack app only", key="channels"
        )
    return next(iter(secrets), None)
