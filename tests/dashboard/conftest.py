"""The backend and the client of the API's tests, for those of the page."""

from tests.api.conftest import backend, client, clock, served

__all__ = ["backend", "client", "clock", "served"]
