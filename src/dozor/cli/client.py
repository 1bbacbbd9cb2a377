"""Asks a live Dozor, over HTTP: what every command but `serve` and `demo` does."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

import httpx2

from dozor.cli.outcome import BadRequest, NoAnswer, Refused
from dozor.settings import Settings

_TIMEOUT_SECONDS: Final = 5.0
_API: Final = "/api/v1/monitoring/"
_PROBLEM: Final = "application/problem+json"
_PAGE: Final = 1000

Parameters = Mapping[str, str | int | list[str] | None]
Document = dict[str, Any]


class Client:
    """One Dozor. Every call raises `NoAnswer`, `Refused` or `BadRequest` with a text for the user.

    Args:
        url: where it is, without the path of its API.
        key: the key to show, if one is set.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url, self._key = url.rstrip("/"), key

    @classmethod
    def connect(cls, flags: Mapping[str, object]) -> Self:
        """The Dozor that *flags* (`url`, `config`), the environment or `dozor.toml` name."""
        settings = Settings.load(flags=flags)
        return cls(settings.url, settings.api_key.get_secret_value() if settings.api_key else None)

    def get(self, path: str, parameters: Parameters | None = None) -> Document:
        """Read *path*, relative to the API's root."""
        return self._ask("GET", path, parameters=parameters)

    def post(self, path: str, body: Mapping[str, object]) -> Document:
        """Send *body* to *path*; its fields that are None are left out."""
        return self._ask("POST", path, body=body)

    def delete(self, path: str, parameters: Parameters | None = None) -> Document:
        """Take away what is at *path*."""
        return self._ask("DELETE", path, parameters=parameters)

    def entries(self, path: str, field: str, parameters: Parameters | None = None) -> Iterator[Document]:
        """The entries of the list *field* at *path*, page after page as they are asked for."""
        for page in self.pages(path, parameters):
            yield from page.get(field) or ()

    def pages(self, path: str, parameters: Parameters | None = None) -> Iterator[Document]:
        """The pages of the list at *path*, as they are asked for."""
        wanted: dict[str, Any] = {"limit": _PAGE, **(parameters or {})}
        while True:
            page = self.get(path, wanted)
            yield page
            if not page.get("next_cursor"):
                return
            wanted["cursor"] = page["next_cursor"]

    def _ask(
        self, method: str, path: str, *, parameters: Parameters | None = None, body: Mapping[str, object] | None = None
    ) -> Document:
        asked = {name: value for name, value in (parameters or {}).items() if value is not None}
        try:
            # No proxy from the environment: Dozor is asked where it stands, on this machine or in this network.
            with httpx2.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as http:
                answer = http.request(
                    method,
                    f"{self._url}{_API}{path}",
                    headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
                    params=asked,
                    json=None if body is None else {name: value for name, value in body.items() if value is not None},
                )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NoAnswer(
                f"nothing answers at {self._url} ({_reason(error)}); --url or DOZOR_URL says where Dozor is"
            ) from None
        return self._read(answer, path)

    def _read(self, answer: httpx2.Response, path: str) -> Document:
        status = answer.status_code
        if status in {401, 403}:
            advice = "the key in DOZOR_API_KEY is not its own" if self._key else "set its key in DOZOR_API_KEY"
            raise NoAnswer(f"Dozor at {self._url} does not let us in ({status}): {advice}")
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self.stranger(status, path)
        if answer.is_success:
            return document
        if document.get("status") == "error" and "errorType" in document:  # as Prometheus' API says it
            raise (BadRequest if status == 400 else Refused)(str(document.get("error")))
        if answer.headers.get("content-type", "").partition(";")[0] != _PROBLEM:
            raise self.stranger(status, path)
        detail = str(document.get("detail") or document.get("title") or f"it answered {status}")
        if status == 503:
            raise NoAnswer(f"Dozor at {self._url} cannot answer now: {detail}")
        raise (BadRequest if status in {413, 422} else Refused)(detail)

    def stranger(self, status: int, path: str) -> NoAnswer:
        """What is said of an answer that Dozor does not give."""
        return NoAnswer(
            f"what answers at {self._url} is not Dozor (status {status} for {_API}{path}), or not a release that has this"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer in {_TIMEOUT_SECONDS:.0f} s"
    return str(error) or type(error).__name__
