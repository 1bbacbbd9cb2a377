"""What a request says, in the query or in a form: Prometheus reads both, and so do its clients write."""

import math
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from dozor.api.auth import read_body
from dozor.api.prometheus.envelope import ApiError, ErrorType, bad_parameter
from dozor.duration import parse_duration
from dozor.errors import PromQLError
from dozor.promql import parse_selector
from dozor.store import Matchers

_FORM: Final = "application/x-www-form-urlencoded"
EARLIEST, LATEST = -9_223_372_036_854_775.0, 9_223_372_036_854_775.0
"""Seconds that Prometheus' milliseconds can hold, and that its clients send for "from the beginning"."""


class Parameters:
    """The parameters of one request. Every reading method raises `ApiError` for what cannot be read."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def all(self, name: str) -> list[str]:
        """Every value given for *name*."""
        return [value for key, value in self._pairs if key == name]

    def get(self, name: str) -> str:
        """The first value of *name*; empty where there is none."""
        return next((value for key, value in self._pairs if key == name), "")

    def time(self, name: str, default: float | None = None) -> float:
        """A moment, in Unix seconds: a number or RFC 3339. Without a *default* it must be there."""
        text = self.get(name)
        if not text and default is not None:
            return default
        if text and (found := _moment(text)) is not None:
            return min(max(found, EARLIEST), LATEST)
        raise bad_parameter(name, f'cannot parse "{text[:60]}" to a valid timestamp')

    def duration(self, name: str, default: float | None = None) -> float:
        """Seconds: a number, or as in `1h30m`. Without a *default* it must be there."""
        text = self.get(name)
        if not text and default is not None:
            return default
        number = _number(text)
        if number is None:
            try:
                number = parse_duration(text)
            except ValueError:
                raise bad_parameter(name, f'cannot parse "{text[:60]}" to a valid duration') from None
        return number

    def limit(self, name: str = "limit") -> int | None:
        """How many at most; None: all, which Prometheus also writes 0."""
        text = self.get(name)
        if not text:
            return None
        if not text.isdecimal() or len(text) > 9:
            raise bad_parameter(name, f'cannot parse "{text[:60]}" to a number that is not negative')
        return int(text) or None

    def selectors(self, *, required: bool = False) -> list[Matchers]:
        """The series selectors of `match[]`."""
        texts = self.all("match[]")
        if required and not texts:
            raise ApiError(ErrorType.BAD_DATA, "no match[] parameter provided")
        found = []
        for text in texts:
            try:
                found.append(parse_selector(text))
            except PromQLError as error:
                raise bad_parameter("match[]", error) from None
        for matchers in found:
            if all(matcher.matches_empty for matcher in matchers):
                raise bad_parameter("match[]", "match[] must contain at least one non-empty matcher")
        return found


async def parameters(request: Request) -> Parameters:
    """A dependency: what *request* says. The body is read after the gate has let it pass."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST" and request.headers.get("content-type", "").partition(";")[0].strip() == _FORM:
        body = await read_body(request)
        try:
            pairs += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            raise ApiError(ErrorType.BAD_DATA, "the form in the body cannot be read") from None
    return Parameters(pairs)


def _moment(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    try:
        # A plus that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
